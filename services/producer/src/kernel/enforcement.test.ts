import type { Policy, PolicyRule } from '@alert-throttle/policy';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ProcessFacts } from './adapters/processes.ts';
import type { NodeContainer } from './core/node-container.ts';
import { NodeContainers } from './node-containers.ts';
import { Enforcement } from './enforcement.ts';
import { Cgroups } from './adapters/cgroups.ts';
import { parseLabels } from './core/labels.ts';
import { MemoryProber } from './testing/memory-prober.ts';
import { MemoryKernel } from './testing/memory-kernel.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';
const CGROUP = 77n;
const FACTS: ProcessFacts = {
  pid: 12,
  startedAt: 100,
  ageMs: 5_000,
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
let prober: MemoryProber;
let enforcement: Enforcement;
let container: NodeContainer;
let log: string[];
let alive: ProcessFacts[];

beforeEach(() => {
  kernel = new MemoryKernel();
  prober = new MemoryProber();
  log = [];
  alive = [FACTS];
  enforcement = new Enforcement({
    kernel,
    descendants: () => [],
    isThere: ({ pid, startedAt }) => alive.some((one) => one.pid === pid && one.startedAt === startedAt),
    factsOf: () => Promise.resolve(alive[0]),
    prober,
    onKept: () => log.push('kept'),
    onUnanswered: ({ unanswered }) => log.push(`unanswered ${[...unanswered.keys()].join(',')}`),
    profile: 0,
    saveRules: (rules) => log.push(`saved ${rules.length}`),
    onApplied: (_, { policies }) => log.push(`applied ${policies.join(',')}`),
    onMisleading: (_, { path, target }) => log.push(`misleading ${path} ${target}`),
    onProblem: (_, problem) => log.push(`problem ${problem}`),
    onRefused: (_, policies, reason) => log.push(`refused ${policies.join(',')}: ${reason}`),
  });
  const found: NodeContainer[] = [];
  const containers = new NodeContainers({
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

function built(): Promise<void> {
  container.life = { phase: 'built', facts: FACTS };
  return enforcement.built(container);
}

function running(): Promise<void> {
  container.life = { phase: 'running', facts: FACTS };
  return enforcement.running(container);
}

describe('Enforcement', () => {
  it('puts rules in force as they are written while a container begins, and resolved once it has its root', async () => {
    prober.links = { '/bin/secret': '/usr/bin/secret' };
    enforcement.setPolicies([policy('p', '/bin/secret')]);
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/bin/secret', action: 'Block' }]);
    expect(kernel.registered.get(CGROUP)).toMatchObject({ starting: true, privileged: false, rootDev: 0n });
    await built();
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/bin/secret', '/usr/bin/secret']);
    expect(kernel.registered.get(CGROUP)).toMatchObject({ starting: true, privileged: true, rootDev: 45n });
    await running();
    expect(kernel.registered.get(CGROUP)).toMatchObject({ starting: false, mntNs: 3 });
    expect(kernel.rulesOf(CGROUP)).toHaveLength(2);
    expect(kernel.installed.size).toBe(1);
  });

  it('saves rules before the kernel has them, and says what is in force', async () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    await enforcement.apply(container);
    expect(log).toEqual(['saved 1', 'applied p']);
    await enforcement.apply(container);
    expect(log).toEqual(['saved 1', 'applied p']);
  });

  it('replaces rules in one step, and gives up the old ones', async () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    await enforcement.apply(container);
    enforcement.setPolicies([policy('q', '/etc/other')]);
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/other', action: 'Block' }]);
    expect(kernel.installed.size).toBe(1);
    enforcement.setPolicies([]);
    await enforcement.apply(container);
    expect(kernel.registered.get(CGROUP)?.ruleSet).toBeUndefined();
    expect(kernel.installed.size).toBe(0);
    expect(log.at(-1)).toBe('applied ');
  });

  it('leaves in force what was, where something cannot be installed whole', async () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    await enforcement.apply(container);
    kernel.refusal = new Error('map rules is full');
    enforcement.setPolicies([policy('q', '/etc/other')]);
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
    expect(log.at(-1)).toBe('refused q: map rules is full');
    kernel.refusal = undefined;
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/other', action: 'Block' }]);
  });

  it('refuses all to a container that never had rules, where they cannot be installed and the node fails closed', async () => {
    const refuseAll = { number: 99, digest: 'refuse all' };
    kernel.ruleSetForFailed = refuseAll;
    kernel.refusal = new Error('map rules is full');
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    await enforcement.apply(container);
    expect(kernel.registered.get(CGROUP)?.ruleSet).toEqual(refuseAll);
    expect(log.at(-1)).toBe('refused p: map rules is full');
    kernel.refusal = undefined;
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
    kernel.refusal = new Error('map rules is full');
    enforcement.setPolicies([policy('q', '/etc/other')]);
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
  });

  it('tells of a container that finds no room once it has its root, and goes on', async () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    await enforcement.apply(container);
    kernel.noRoom = new Error('map members is full');
    await built();
    expect(log.at(-1)).toBe('refused p: map members is full');
    log.length = 0;
    await running();
    expect(log).toEqual(['refused p: map members is full']);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
  });

  it('refuses policies that need what this node cannot enforce, and only those', async () => {
    enforcement.setDisarmed(new Map([['network', 'no hook']]));
    const net = policy('net', 'udp', { kind: 'network', match: 'protocol' });
    enforcement.setPolicies([policy('p', '/etc/secret'), net]);
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/etc/secret']);
    expect([...enforcement.unenforceable].map(([{ name }, reason]) => `${name}: ${reason}`)).toEqual([
      'net: network rules cannot be enforced here: no hook',
    ]);
  });

  it('warns once of a rule that leads elsewhere, and again when it leads to yet another place', async () => {
    prober.links = { '/bin/cat': '/bin/busybox' };
    enforcement.setPolicies([policy('p', '/bin/cat')]);
    await built();
    await enforcement.apply(container);
    prober.links = { '/bin/cat': '/bin/toybox' };
    await enforcement.apply(container);
    expect(log.filter((line) => line.startsWith('misleading'))).toEqual([
      'misleading /bin/cat /bin/busybox',
      'misleading /bin/cat /bin/toybox',
    ]);
  });

  it('follows a target that changes', async () => {
    enforcement.setPolicies([policy('p', '/run/token')]);
    await built();
    prober.links = { '/run/token': '/run/..2/token' };
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/run/token', '/run/..2/token']);
  });

  it('keeps what it found when the process that it asked is gone, whatever has its number now', async () => {
    prober.links = { '/bin/secret': '/usr/bin/secret' };
    enforcement.setPolicies([policy('p', '/bin/secret')]);
    await built();
    alive = [];
    prober.links = { '/bin/secret': '/host/secret' };
    await enforcement.apply(container);
    alive = [{ ...FACTS, startedAt: 200, mntNs: 99 }];
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/bin/secret', '/usr/bin/secret']);
    expect(log.filter((line) => line.startsWith('refused'))).toEqual([]);
  });

  it('asks another process of the container when the first one has ended', async () => {
    enforcement.setPolicies([policy('p', '/bin/secret')]);
    await built();
    alive = [{ ...FACTS, pid: 13, startedAt: 200 }];
    prober.links = { '/bin/secret': '/usr/bin/secret' };
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/bin/secret', '/usr/bin/secret']);
  });

  it('does not let a container extend what it is allowed', async () => {
    const allowed = policy('p', '/srv/secrets/', { match: 'dirRecursive', action: 'Allow' });
    enforcement.setPolicies([allowed]);
    await built();
    prober.links = { '/srv/secrets/': '/run/secrets/' };
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/srv/secrets/']);
  });

  it('asks only once, and not even in another run, where what a container is allowed leads', async () => {
    const allowed = policy('p', '/srv/data/', { match: 'dirRecursive', action: 'Allow' });
    enforcement.setPolicies([allowed]);
    enforcement.remember(CGROUP, { followed: new Map(), kept: new Map([['/srv/data/', undefined]]) });
    prober.links = { '/srv/data/': '/run/data/' };
    await built();
    expect(prober.asked).toEqual([]);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/srv/data/']);
  });

  it('keeps what is known of a path that does not answer, and says so', async () => {
    enforcement.setPolicies([policy('p', '/run/token')]);
    prober.links = { '/run/token': '/run/..2/token' };
    await built();
    prober.silent = ['/run/token'];
    await enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/run/token', '/run/..2/token']);
    expect(log.at(-1)).toBe('unanswered /run/token');
    expect([...container.unanswered.keys()]).toEqual(['/run/token']);
  });

  it('does not let rules wait for a container that is slow to answer', async () => {
    await running();
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    prober.slow = true;
    const done = enforcement.apply(container);
    expect(kernel.rulesOf(CGROUP)).toEqual([{ path: '/etc/secret', action: 'Block' }]);
    await done;
  });

  it('ends with the policies that are in force last, when they change while a container is asked', async () => {
    await running();
    enforcement.setPolicies([policy('p', '/etc/one')]);
    const first = enforcement.apply(container);
    enforcement.setPolicies([policy('q', '/bin/two')]);
    prober.links = { '/bin/two': '/usr/bin/two' };
    await Promise.all([first, enforcement.apply(container)]);
    expect(kernel.rulesOf(CGROUP)?.map(({ path }) => path)).toEqual(['/bin/two', '/usr/bin/two']);
    expect(kernel.installed.size).toBe(1);
  });

  it('takes a container out of the kernel with its rules', async () => {
    enforcement.setPolicies([policy('p', '/etc/secret')]);
    await enforcement.apply(container);
    enforcement.remove(container);
    expect(kernel.removed).toEqual([CGROUP]);
    expect(kernel.installed.size).toBe(0);
  });
});
