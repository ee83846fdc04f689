// Limits that change while several processes run into them: each window under some limits that were in force, each
// crossing with one report, and nothing remembered once throttling was off.
import type { Guest } from '@alert-throttle/guest/inside';
import type { KernelEvent } from '@alert-throttle/kernel';
import type { EnforcingNode, Limits } from '../enforcement/node.ts';
import {
  alertTimes,
  count,
  drain,
  end,
  HOUR,
  of,
  readUntil,
  refuse,
  secretContainer,
  SECRET,
  since,
  thresholds,
} from './shared.ts';

const CHANGES: readonly Limits[] = [
  { maxAlertPerSec: 3, throttleSec: 1 },
  { maxAlertPerSec: 9, throttleSec: 1 },
  { maxAlertPerSec: 1, throttleSec: 2 },
  { maxAlertPerSec: 6, throttleSec: 1 },
  { maxAlertPerSec: 2, throttleSec: HOUR },
];

export async function changingLimits(guest: Guest, node: EnforcingNode): Promise<void> {
  node.limit(CHANGES[0]);
  const container = await secretContainer(node, 'hammered');
  const beside = await container.enter();
  drain(node);
  const before = node.kernel.counters();
  let [hammering, refused, good] = [true, 0, 0];
  const keepOn = async (workload: typeof container | typeof beside): Promise<void> => {
    while (hammering) {
      const reply = await workload.do('parallel', 2, 50, 'open', SECRET, 'r');
      refused += reply.failed?.['EACCES'] ?? 0;
      good += reply.good ?? 0;
    }
  };
  const hammers = [keepOn(container), keepOn(beside)];
  const events: KernelEvent[] = [];
  const changes: object[] = [];
  for (const limits of CHANGES) {
    // In force from some moment in between on.
    const fromNs = process.hrtime.bigint();
    node.limit(limits);
    changes.push({ ...limits, fromNs, settledNs: process.hrtime.bigint() });
    await readUntil(
      node,
      `a crossing of ${limits.maxAlertPerSec}`,
      (all) =>
        all.some((one) => one.type === 'threshold' && one.limits.maxAlertPerSec === limits.maxAlertPerSec),
      events,
    );
  }
  hammering = false;
  await Promise.all(hammers);
  // The last interval is open for an hour: turning throttling off ends it.
  node.limit(undefined);
  await readUntil(
    node,
    'the last report',
    (all) => all.some((one) => one.type === 'thresholdEnded' && one.endedBy === 'limits'),
    events,
  );
  guest.report('limits', {
    ...{ changes, refused, good, sums: since(node, before) },
    alerts: alertTimes(of(events, container)),
    thresholds: thresholds(of(events, container)).map((one) => ({
      ...{ type: one.type, start: one.intervalStartNs, end: one.intervalEndNs, limits: one.limits },
      ...{ dropped: one.dropped, endedBy: one.endedBy, crossings: one.crossings },
    })),
  });

  await refuse(container, 300);
  const off = drain(node);
  node.limit({ maxAlertPerSec: 2, throttleSec: HOUR });
  await refuse(container, 300);
  const on = drain(node);
  guest.report('off and on', {
    off: { alerts: count(off, 'alert'), others: off.length - count(off, 'alert') },
    on: { alerts: alertTimes(on), dropped: since(node, before).dropped, thresholds: count(on, 'threshold') },
  });
  beside.process.kill('SIGKILL');
  await end(node, container);
  drain(node);
}
