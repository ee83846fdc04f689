import type { Policy, PolicyRule } from '@alert-throttle/policy';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ProcessFacts } from './adapters/processes.ts';
import type { KnownContainer } from './core/container-state.ts';
import { Containers } from './containers.ts';
import { Enforcement } from './enforcement.ts';
import { Cgroups } from './adapters/cgroups.ts';
import { parseLabels } from './core/labels.ts';
import { MemoryKernel } from './testing/memory-kernel.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';
const CGROUP = 77n;
const FACTS: ProcessFacts = {
  pid: 12,
  startedAt: 100,
  pidNs: 2,
  mntNs: 3,
  ownRoot: true,
  ownProgram: true,
  privileged: true,
  rootDev: 45n,
  rootIno: 0n,
};

function policy(name: string, path: string, more: Partial<PolicyRule> = {}): Policy {
  const flags = { readOnly: false, ownerOnly: false, severity: '5', tags: [], message: '' };
  const rule: PolicyRule = { kind: 'file', match: 'exact', path, action: 'Block', ...flags, ...more };
  const selector = { labels: new Map([['app', 'web']]), anyOf: [], noneOf: [], containers: [] };
  return { name, namespace: 'shop', selector, rules: [rule] };
}

let kernel: MemoryKernel;
let enforcement: Enforcement;
let container: KnownContainer;
let log: string[];
let alive: ProcessFacts[];

beforeEach(() => {
  kernel = new MemoryKernel();
  log = [];
  alive = [FACTS];
  enforcement = new Enforcement({
    kernel,
    descendants: () => [],
    isThere: ({ pid, startedAt }) => alive.some((one) => one.pid === pid && one.startedAt === startedAt),
    initOf: () => alive[0],
    profile: 0,
    saveRules: (rules) => log.push(`saved ${rules.length}`),
    onApplied: (_, { policies }) => log.push(`applied ${policies.join(',')}`),
    onMisleading: (_, { path, target }) => log.push(`misleading ${path} ${target}`),
    onProblem: (_, problem) => log.push(`problem ${problem}`),
    onRefused: (_, policies, reason) => log.push(`refused ${policies.join(',')}: ${reason}`),
  });
  const found: KnownContainer[] = [];
  const containers = new Containers({
    cgroups: new Cgroups('/nonexistent'),
    node: { clusterName: 'c', hostName: 'h', nodeId: 'n' },
    nowMs: () => 0,
    onFound: (one) => found.push(one),
    onUnseen: () => undefined,
  });
  containers.setLabels(
    parseLabels(`containers: [{ match: { id: ${ID} }, namespace: shop, labels: { app: web } }]`),
  );
  containers.created(CGROUP, `/docker/${ID}`, 1_000);
  container = found[0] ?? expect.unreachable();
});

describe('Enforcement', () => {
  it('puts rules in force as they are written while a container begins, and resolved once it has its root', () => {
    kernel.links = { '/bin/secret': '/usr/bin/secret' };
    enforcement.setPolicies([policy('p', '/bin/secret')]);
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/bin/secret', action: 'Block' }]);
    expect(kernel.registered.get(CGROUP)).toMatchObject({ starting: true, privileged: false, rootDev: 0n });
    enforcement.built(container, FACTS);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/bin/secret', '/usr/bin/secret']);
    expect(kernel.registered.get(CGROUP)).toMatchObject({ starting: true, privileged: true, rootDev: 45n });
    enforcement.running(container, FACTS);
    expect(kernel.registered.get(CGROUP)).toMatchObject({ starting: false, mntNs: 3 });
    expect(kernel.rulesOf(CGROUP)).toHaveLength(2);
    expect(kernel.installed.size).toBe(1);
  });

  it('saves rules before the kernel has them, and says what is in force', () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    enforcement.apply(container);
    expect(log).toEqual(['saved 1', 'applied p']);
    enforcement.apply(container);
    expect(log).toEqual(['saved 1', 'applied p']);
  });

  it('replaces rules in one step, and gives up the old ones', () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    enforcement.apply(container);
    enforcement.setPolicies([policy('q', '/etc/other')]);
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/other', action: 'Block' }]);
    expect(kernel.installed.size).toBe(1);
    enforcement.setPolicies([]);
    enforcement.apply(container);
    expect(kernel.registered.get(CGROUP)?.ruleSet).toBeUndefined();
    expect(kernel.installed.size).toBe(0);
    expect(log.at(-1)).toBe('applied ');
  });

  it('leaves in force what was, where something cannot be installed whole', () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    enforcement.apply(container);
    kernel.refusal = new Error('map rules is full');
    enforcement.setPolicies([policy('q', '/etc/other')]);
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
    expect(log.at(-1)).toBe('refused q: map rules is full');
    kernel.refusal = undefined;
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/other', action: 'Block' }]);
  });

  it('refuses all to a container that never had rules, where they cannot be installed and the node fails closed', () => {
    const refuseAll = { number: 99, digest: 'refuse all' };
    kernel.ruleSetForFailed = refuseAll;
    kernel.refusal = new Error('map rules is full');
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    enforcement.apply(container);
    expect(kernel.registered.get(CGROUP)?.ruleSet).toEqual(refuseAll);
    expect(log.at(-1)).toBe('refused p: map rules is full');
    kernel.refusal = undefined;
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
    kernel.refusal = new Error('map rules is full');
    enforcement.setPolicies([policy('q', '/etc/other')]);
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
  });

  it('tells of a container that finds no room once it has its root, and goes on', () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    enforcement.apply(container);
    kernel.noRoom = new Error('map members is full');
    enforcement.built(container, FACTS);
    expect(log.at(-1)).toBe('refused p: map members is full');
    log.length = 0;
    enforcement.running(container, FACTS);
    expect(log).toEqual(['refused p: map members is full']);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
  });

  it('refuses policies that need what this node cannot enforce, and only those', () => {
    enforcement.setDisarmed(new Map([['network', 'no hook']]));
    const net = policy('net', 'udp', { kind: 'network', match: 'protocol' });
    enforcement.setPolicies([policy('p', '/etc/secret'), net]);
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/etc/secret']);
    expect([...enforcement.unenforceable].map(([{ name }, reason]) => `${name}: ${reason}`)).toEqual([
      'net: network rules cannot be enforced here: no hook',
    ]);
  });

  it('warns once of a rule that leads elsewhere, and again when it leads to yet another place', () => {
    kernel.links = { '/bin/cat': '/bin/busybox' };
    enforcement.setPolicies([policy('p', '/bin/cat')]);
    enforcement.built(container, FACTS);
    enforcement.apply(container);
    kernel.links = { '/bin/cat': '/bin/toybox' };
    enforcement.apply(container);
    expect(log.filter((line) => line.startsWith('misleading'))).toEqual([
      'misleading /bin/cat /bin/busybox',
      'misleading /bin/cat /bin/toybox',
    ]);
  });

  it('follows a target that changes', () => {
    enforcement.setPolicies([policy('p', '/run/token')]);
    enforcement.built(container, FACTS);
    kernel.links = { '/run/token': '/run/..2/token' };
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/run/token', '/run/..2/token']);
  });

  it('keeps what it found when the process that it asked is gone, whatever has its number now', () => {
    kernel.links = { '/bin/secret': '/usr/bin/secret' };
    enforcement.setPolicies([policy('p', '/bin/secret')]);
    enforcement.built(container, FACTS);
    alive = [];
    kernel.links = { '/bin/secret': '/host/secret' };
    enforcement.apply(container);
    alive = [{ ...FACTS, startedAt: 200, mntNs: 99 }];
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/bin/secret', '/usr/bin/secret']);
    expect(log.filter((line) => line.startsWith('refused'))).toEqual([]);
  });

  it('asks another process of the container when the first one has ended', () => {
    enforcement.setPolicies([policy('p', '/bin/secret')]);
    enforcement.built(container, FACTS);
    alive = [{ ...FACTS, pid: 13, startedAt: 200 }];
    kernel.links = { '/bin/secret': '/usr/bin/secret' };
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/bin/secret', '/usr/bin/secret']);
  });

  it('does not let a container extend what it is allowed', () => {
    const allowed = policy('p', '/work/secrets/', { match: 'dirRecursive', action: 'Allow' });
    enforcement.setPolicies([allowed]);
    enforcement.built(container, FACTS);
    kernel.links = { '/work/secrets/': '/run/secrets/' };
    enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/work/secrets/']);
  });

  it('takes a container out of the kernel with its rules', () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    enforcement.apply(container);
    enforcement.remove(container);
    expect(kernel.removed).toEqual([CGROUP]);
    expect(kernel.installed.size).toBe(0);
  });
});
