// Runs in the guest: the real programs under this package. A container that hammers a forbidden file while its producer
// is replaced, and replaced again by one with other programs, never gets through; and every attempt is counted once.
import { startContainer, type Container, type Guest } from '@alert-throttle/guest/inside';
import { openKernel, type Kernel, type KernelEvent } from '@alert-throttle/kernel';
import { compileRuleSet } from '@alert-throttle/policy';

const NEXT = '/w/native/build/next.bpf.o';
const LIMITS = { alertThrottling: true, maxAlertPerSec: 5, throttleSec: 2 };

const secret = compileRuleSet(
  [
    {
      name: 'secret',
      namespace: 'guest',
      selector: { labels: new Map(), anyOf: [], noneOf: [], containers: [] },
      rules: [
        {
          ...{ kind: 'file', match: 'exact', path: '/etc/secret', action: 'Block' },
          ...{ readOnly: false, ownerOnly: false, severity: '7', tags: [], message: '' },
        },
      ],
    },
  ],
  { postures: { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' }, audited: false },
);

function protect(kernel: Kernel, { cgroup, pidNs, mntNs, rootDev }: Container): void {
  kernel.registerContainer({
    ...{ cgroupId: cgroup.id, pidNs, mntNs, rootDev, profile: 0, privileged: false },
    ruleSet: kernel.installRuleSet(secret),
    descendants: () => [],
  });
}

function drain(kernel: Kernel): KernelEvent[] {
  const all: KernelEvent[] = [];
  for (let batch = kernel.poll(); batch.length > 0; batch = kernel.poll()) all.push(...batch);
  return all;
}

export default async (guest: Guest): Promise<void> => {
  const container = await startContainer('hammering', { files: { '/etc/secret': 'x', '/etc/open': 'y' } });
  const first = openKernel();
  guest.report('programs', {
    attached: first
      .programs()
      .filter(({ attached }) => attached)
      .map(({ hook }) => hook),
    notAttached: first
      .programs()
      .filter(({ attached }) => !attached)
      .map(({ hook, reason }) => `${hook}: ${reason ?? ''}`),
  });
  first.setLimits(0, LIMITS);
  protect(first, container);
  const before = await container.do('read', '/etc/secret');
  first.activate();
  const [denied, allowed] = [
    await container.do('read', '/etc/secret'),
    await container.do('read', '/etc/open'),
  ];
  guest.report('decides from its activation on', {
    before: before.data,
    denied: denied.error,
    allowed: allowed.data,
  });

  const attempts = 3000;
  const hammer = container.do('hammer', attempts, 'open', '/etc/secret', 'r');
  await new Promise((resolve) => setTimeout(resolve, 300));
  first.close();
  const second = openKernel({ object: NEXT });
  protect(second, container);
  second.activate();
  const { good, failed } = await hammer;
  const windows = second.throttleMap();
  guest.report('hammered through an upgrade', {
    ...{ adopted: second.adopted, containers: second.containers().length, good, failed },
    matched: Number(second.counters().matched) - 1,
    attempts,
    windows: windows.map(({ container: id, matched, dropped }) => ({
      own: id === container.cgroup.id,
      all: matched === attempts + 1,
      dropped: dropped > 0,
    })),
  });
  const events = drain(second);
  const alert = events.find((event) => event.type === 'alert');
  guest.report('alert', { alert: { ...alert, timeNs: 0, hostPid: 0, hostPpid: 0, pid: 0, ppid: 0 } });

  second.removeContainer(container.cgroup.id);
  const after = await container.do('read', '/etc/secret');
  for (let i = 0; i < 50 && second.throttleMap().length > 0; i++) {
    second.sweep();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  events.push(...drain(second));
  const { matched, emitted, lost, dropped } = second.counters();
  const reported = events.flatMap((event) => (event.type === 'thresholdEnded' ? [event.dropped] : []));
  guest.report('settled', {
    after: after.data,
    windows: second.throttleMap().length,
    balanced: matched === emitted + lost + dropped,
    alertsAreThose: Number(emitted) === events.filter(({ type }) => type === 'alert').length,
    reportsAreThose: Number(dropped) === reported.reduce((sum, one) => sum + one, 0),
    types: [...new Set(events.map(({ type }) => type))].sort(),
    numbers:
      Number(second.rings().enforcement.number) === events.filter((e) => e.ring === 'enforcement').length,
  });
  second.detach();
  await container.stop();
};
