// Which text a profile has, and when it is taken away.
import { describe, expect, it } from 'vitest';
import { allowingProfile } from '@alert-throttle/apparmor';
import { compileRuleSet, type PolicyRule, type RuleSet } from '@alert-throttle/policy';
import { Profiles } from './profiles.ts';

class MemoryLoader {
  readonly texts = new Map<string, string>();
  readonly loads: string[] = [];
  used = new Set<string>();
  broken = false;

  load(text: string): void {
    if (this.broken) throw new Error('the parser refuses');
    const name = /^profile "([^"]*)"/.exec(text)?.[1] ?? '';
    this.texts.set(name, text);
    this.loads.push(name);
  }

  remove(name: string): void {
    this.texts.delete(name);
  }

  inUse(): ReadonlySet<string> {
    return this.used;
  }
}

function blocking(policy: string, ...paths: readonly string[]): RuleSet {
  const rules = paths.map((path): PolicyRule => ({
    ...{ kind: 'file', match: 'exact', path, action: 'Block', readOnly: false, ownerOnly: false },
    ...{ severity: '1', tags: [], message: '' },
  }));
  const selector = { labels: new Map<string, string>(), anyOf: [], noneOf: [], containers: [] };
  const postures = { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' } as const;
  return compileRuleSet([{ name: policy, namespace: 'shop', selector, rules }], { postures, audited: false });
}

const WEB = 'kubearmor-shop-web-app';
const user = (ruleSet: RuleSet | undefined) => ({ ruleSet, privileged: false });

describe('profiles', () => {
  it('given a container that is expected, then its profile is there and allows everything, once', () => {
    const loader = new MemoryLoader();
    const profiles = new Profiles(loader);
    profiles.expect([WEB]);
    profiles.expect([WEB]);
    expect(loader.loads).toEqual([WEB]);
    expect(loader.texts.get(WEB)).toBe(allowingProfile(WEB));
  });

  it('given rules, then they are denied, and after the last policy everything is allowed', () => {
    const loader = new MemoryLoader();
    const profiles = new Profiles(loader);
    profiles.set(WEB, 1n, user(blocking('p', '/etc/key')));
    expect(loader.texts.get(WEB)).toContain('deny "/etc/key{,/}" rwlk,');
    profiles.set(WEB, 1n, user(undefined));
    expect(loader.texts.get(WEB)).toBe(allowingProfile(WEB));
  });

  it('given containers of one workload whose paths lead elsewhere, then it denies all of them', () => {
    const loader = new MemoryLoader();
    const profiles = new Profiles(loader);
    profiles.set(WEB, 1n, user(blocking('p', '/bin/sh', '/usr/bin/sh')));
    profiles.set(WEB, 2n, user(blocking('p', '/bin/sh')));
    expect(loader.texts.get(WEB)).toContain('"/usr/bin/sh{,/}"');
    expect(profiles.conflicts).toEqual([]);
    profiles.forget(1n);
    profiles.set(WEB, 2n, user(blocking('p', '/bin/sh')));
    expect(loader.texts.get(WEB)).not.toContain('"/usr/bin/sh{,/}"');
  });

  it('given containers of one name with different policies, then that is a conflict until one of them is gone', () => {
    const profiles = new Profiles(new MemoryLoader());
    profiles.set(WEB, 1n, user(blocking('p', '/etc/key')));
    profiles.set(WEB, 2n, user(blocking('q', '/etc/other')));
    expect(profiles.conflicts).toEqual([WEB]);
    profiles.forget(1n);
    expect(profiles.conflicts).toEqual([]);
  });

  it('given a parser that refuses, then what was in force is in force', () => {
    const loader = new MemoryLoader();
    const profiles = new Profiles(loader);
    profiles.set(WEB, 1n, user(blocking('p', '/etc/key')));
    const before = loader.texts.get(WEB);
    loader.broken = true;
    expect(() => profiles.set(WEB, 1n, user(blocking('p', '/etc/other')))).toThrow('the parser refuses');
    loader.broken = false;
    expect(loader.texts.get(WEB)).toBe(before);
    profiles.set(WEB, 1n, user(blocking('p', '/etc/key')));
    expect(loader.loads).toHaveLength(1);
  });

  it('takes away what no container, no label and no process needs, and nothing else', () => {
    const loader = new MemoryLoader();
    const profiles = new Profiles(loader);
    const names = [WEB, 'kubearmor_expected', 'kubearmor_inhabited', 'kubearmor_gone'];
    names.forEach((name, index) => profiles.set(name, BigInt(index), user(blocking('p', '/etc/key'))));
    profiles.expect(['kubearmor_expected']);
    for (const id of [1n, 2n, 3n]) profiles.forget(id);
    loader.used = new Set(['kubearmor_inhabited']);
    profiles.tidy();
    expect([...loader.texts.keys()]).toEqual(names.slice(0, 3));
    loader.used = new Set();
    profiles.tidy();
    expect([...loader.texts.keys()]).toEqual(names.slice(0, 2));
  });
});
