// The text of profiles, where what a kernel makes of it is not the point: names, mounts, and what allows everything.
import { describe, expect, it } from 'vitest';
import { compileRuleSet, parsePolicies } from '@alert-throttle/policy';
import { AppArmorError, compileProfile } from './parser.ts';
import { profileName } from './profile-name.ts';
import { allowingProfile, InexpressibleError, profileOf } from './profile.ts';
import { CompiledProfile } from './testing/compiled-profile.ts';

const postures = { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' } as const;

function ruleSet(spec: object, audited = false) {
  const text = JSON.stringify({
    apiVersion: 'security.kubearmor.com/v1',
    kind: 'KubeArmorPolicy',
    metadata: { name: 'p', namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  });
  return compileRuleSet(parsePolicies([{ file: 'p.yaml', text }]), { postures, audited });
}

const noKey = { file: { matchPaths: [{ path: '/etc/key' }] }, action: 'Block' };

describe('profiles', () => {
  it('are named as KubeArmor names them', () => {
    expect(profileName({ namespace: 'shop', owner: 'web', container: 'app' })).toBe('kubearmor-shop-web-app');
    expect(profileName({ namespace: 'default', owner: '', container: 'app' })).toBe('kubearmor_app');
  });

  it.each(['', 'a b', 'a"b', 'a//b', ':root://x', '/usr/bin/x', 'a\nb', '&x', '.x', 'x'.repeat(300)])(
    'have no name made of %j',
    (container) => {
      expect(profileName({ namespace: 'shop', owner: 'web', container })).toBeUndefined();
    },
  );

  it('keep whoever is in them from mounting, where rules refuse paths, unless it is privileged', () => {
    const rules = ruleSet(noKey);
    expect(profileOf(rules, { name: 'x' })).toContain('  deny mount,\n  deny pivot_root,\n');
    expect(profileOf(rules, { name: 'x', privileged: true })).toContain('  mount,\n  pivot_root,\n');
    const noTime = ruleSet({ capabilities: { matchCapabilities: [{ capability: 'sys_time' }] } });
    expect(profileOf(noTime, { name: 'x' })).toContain('  mount,\n  pivot_root,\n');
  });

  it('let nobody out of them', () => {
    for (const text of [allowingProfile('x'), profileOf(ruleSet(noKey), { name: 'x' })])
      expect(text).not.toMatch(/change_profile|change_hat|\b[puPUcC]+x\b/);
  });

  it('deny nothing in an audited pod', () => {
    expect(profileOf(ruleSet(noKey, true), { name: 'x' })).toBe(allowingProfile('x'));
  });

  it('allow everything before there are rules', () => {
    const profile = new CompiledProfile(compileProfile(allowingProfile('x')));
    for (const path of ['/', '/etc/key', '/a/b/'])
      for (const permission of ['r', 'w', 'x', 'm', 'k'] as const)
        expect(profile.allows(path, permission, false), `${permission} ${path}`).toBe(true);
    for (let capability = 0; capability <= 40; capability++)
      expect(profile.allowsCapability(capability), String(capability)).toBe(true);
  });

  it('name the policy and the reason where there is none', () => {
    const rules = ruleSet({ network: { matchProtocols: [{ protocol: 'icmp' }] }, action: 'Block' });
    const make = () => profileOf(rules, { name: 'x' });
    expect(make).toThrow(InexpressibleError);
    expect(make).toThrow(/shop\/p: Block network icmp: a profile knows the family and type of a socket/);
  });

  it('are refused with what the parser says', () => {
    expect(() => compileProfile('profile "x" {\n  deny nonsense,\n}\n')).toThrow(AppArmorError);
  });
});
