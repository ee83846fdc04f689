import { compileRuleSet, type Policy, type PolicyRule } from '@alert-throttle/policy';
import { describe, expect, it } from 'vitest';
import { resolveRuleSet } from './rule-paths.ts';

const selector = { labels: new Map<string, string>(), anyOf: [], noneOf: [], containers: [] };

function rule(path: string, more: Partial<PolicyRule> = {}): PolicyRule {
  const flags = { readOnly: false, ownerOnly: false, severity: '5', tags: [], message: '' };
  return { kind: 'process', match: 'exact', path, action: 'Block', ...flags, ...more };
}

function ruleSetOf(...rules: PolicyRule[]) {
  const policy: Policy = { name: 'p', namespace: 'n', selector, rules };
  const postures = { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' } as const;
  return compileRuleSet([policy], { postures, audited: false });
}

describe('resolveRuleSet', () => {
  it('adds the path under which the file is seen, with the same number', () => {
    const before = ruleSetOf(rule('/bin/sleep'));
    const { ruleSet, misleading } = resolveRuleSet(before, () => '/usr/bin/sleep');
    expect(ruleSet.rules.map(({ path, number }) => [path, number === before.rules[0]?.number])).toEqual([
      ['/bin/sleep', true],
      ['/usr/bin/sleep', true],
    ]);
    expect(ruleSet.key).not.toBe(before.key);
    expect(misleading).toEqual([]);
  });

  it('adds directories, sources, and both together', () => {
    const before = ruleSetOf(rule('/bin/', { match: 'dir', source: '/bin/bash' }));
    const { ruleSet } = resolveRuleSet(before, (path) => `/usr${path}`);
    expect(ruleSet.rules.map(({ path, source }) => [path, source])).toEqual([
      ['/bin/', '/bin/bash'],
      ['/bin/', '/usr/bin/bash'],
      ['/usr/bin/', '/bin/bash'],
      ['/usr/bin/', '/usr/bin/bash'],
    ]);
  });

  it('does not extend a rule to a file of another name, and says so', () => {
    const before = ruleSetOf(rule('/bin/wget'));
    const { ruleSet, misleading } = resolveRuleSet(before, () => '/bin/busybox');
    expect(ruleSet).toBe(before);
    expect(misleading).toMatchObject([{ path: '/bin/wget', target: '/bin/busybox' }]);
  });

  it('leaves names, and what leads nowhere, alone', () => {
    const before = ruleSetOf(rule('wget', { match: 'execname' }), rule('/gone'));
    const { ruleSet } = resolveRuleSet(before, (path) => (path === '/gone' ? undefined : '/x/wget'));
    expect(ruleSet).toBe(before);
  });

  it('does not install twice what a policy names twice', () => {
    const before = ruleSetOf(rule('/bin/sleep'), rule('/usr/bin/sleep'));
    expect(resolveRuleSet(before, () => '/usr/bin/sleep').ruleSet).toBe(before);
  });
});
