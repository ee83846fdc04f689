// All CPUs firing at one container: 100 000 refusals, a window that every one of them goes through, and no lost count.
import { setTimeout as sleep } from 'node:timers/promises';
import { startContainer, until, type Guest } from '@alert-throttle/guest/inside';
import type { KernelEvent } from '@alert-throttle/kernel';
import { EnforcingNode, isAlert, ruleSetOf } from './node.ts';

export const MAX_ALERT_PER_SEC = 10;
export const THROTTLE_SEC = 2;

interface Args {
  readonly processes: number;
  readonly count: number;
}

export default async function allCpus(guest: Guest): Promise<void> {
  const { processes, count } = guest.args as Args;
  const node = new EnforcingNode();
  node.limit({ maxAlertPerSec: MAX_ALERT_PER_SEC, throttleSec: THROTTLE_SEC });
  node.kernel.activate();
  const container = await startContainer('target', {
    files: { '/etc/secret': 'secret', '/etc/public': 'p' },
  });
  node.protect(container, ruleSetOf([{ file: { matchPaths: [{ path: '/etc/secret' }] }, action: 'Block' }]));
  node.events();

  const events: KernelEvent[] = [];
  const flood = container.do('parallel', processes, count, 'open', '/etc/secret', 'r');
  const over = flood.then(() => true);
  // Whoever reads the rings each second does so while it happens.
  while (!(await Promise.race([over, sleep(200, false)]))) {
    node.kernel.sweep();
    events.push(...node.events());
  }
  const { good, failed } = await flood;
  const leaked = await container.do('parallel', processes, 1000, 'open', '/etc/public', 'r');
  await until('the last report', () => {
    node.kernel.sweep();
    events.push(...node.events());
    return events.filter(({ type }) => type === 'thresholdEnded').length === thresholdsIn(events);
  });
  const { matched, emitted, lost, dropped } = node.kernel.counters();
  guest.report('flood', {
    ...{ good, failed, refusedByMistake: leaked.failed },
    counters: { matched, emitted, lost, dropped },
    alerts: events.filter(isAlert).map(({ timeNs }) => timeNs),
    intervals: events.flatMap((event) =>
      event.type === 'thresholdEnded'
        ? [{ start: event.intervalStartNs, end: event.intervalEndNs, dropped: event.dropped }]
        : [],
    ),
    thresholds: events.flatMap((event) => (event.type === 'threshold' ? [event.intervalStartNs] : [])),
    recursionMisses: node.kernel.programs().map(({ name, recursionMisses }) => ({ name, recursionMisses })),
  });
  await container.stop();
  node.forget(container);
  node.detach();
}

function thresholdsIn(events: readonly KernelEvent[]): number {
  return events.filter(({ type }) => type === 'threshold').length;
}
