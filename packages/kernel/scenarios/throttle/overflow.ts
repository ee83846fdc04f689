// More containers than the throttle map has room for: newcomers share a window, and leave it as soon as there is room.
import { until, type Guest } from '@alert-throttle/guest/inside';
import type { EnforcingNode } from '../enforcement/node.ts';
import {
  alertTimes,
  count,
  drain,
  end,
  entryOf,
  HOUR,
  of,
  readUntil,
  refuse,
  secretContainer,
  since,
  thresholds,
} from './shared.ts';

const NOBODY = 0n;

/** The node's throttle map has room for two. */
export async function overflow(guest: Guest, node: EnforcingNode): Promise<void> {
  node.limit({ maxAlertPerSec: 2, throttleSec: HOUR });
  const names = ['first', 'second', 'third', 'fourth'] as const;
  const [first, second, third, fourth] = [
    await secretContainer(node, names[0]),
    await secretContainer(node, names[1]),
    await secretContainer(node, names[2]),
    await secretContainer(node, names[3]),
  ];
  drain(node);
  const before = node.kernel.counters();
  for (const one of [first, second]) await refuse(one, 1);
  // The third has had one alert when the fourth uses up what they share.
  await refuse(third, 1);
  const fourthTried = await refuse(fourth, 100);
  await refuse(third, 50);
  await refuse(second, 100);
  const events = drain(node);
  const shared = entryOf(node, NOBODY);
  guest.report('shared', {
    refused: fourthTried.failed,
    sums: since(node, before),
    overflowed: node.kernel.counters().overflowed - before.overflowed,
    alerts: [first, second, third, fourth].map((one) => alertTimes(of(events, one)).length),
    own: thresholds(of(events, second)).map(({ type, overflow, containers }) => ({
      type,
      overflow,
      containers,
    })),
    thresholds: thresholds(events).filter(({ container }) => container === NOBODY),
    entry: { containers: shared?.containers, matched: shared?.matched, dropped: shared?.dropped },
    entries: [first, second, third, fourth].map((one) => entryOf(node, one.cgroup.id) !== undefined),
  });

  // Room: the next alert of a newcomer, some time after its last try, finds it.
  await end(node, first);
  drain(node);
  let tries = 0;
  await until('a window of its own', async () => {
    tries += 1;
    await refuse(fourth, 1);
    return entryOf(node, fourth.cgroup.id) !== undefined;
  });
  await refuse(fourth, 50);
  const own = drain(node);
  guest.report('moved out', {
    alerts: alertTimes(of(own, fourth)).length,
    thresholds: thresholds(of(own, fourth)).map(({ type, overflow }) => ({ type, overflow })),
    entry: entryOf(node, fourth.cgroup.id)?.matched,
    containers: entryOf(node, NOBODY)?.containers,
    others: thresholds(own).filter(({ container }) => container === NOBODY).length,
  });

  node.limit(undefined);
  const ended = await readUntil(node, 'the reports', (all) => count(all, 'thresholdEnded') === 3);
  guest.report('shared window over', {
    reports: thresholds(ended).map(({ container, dropped, endedBy, overflow, containers }) => ({
      ...{ dropped, endedBy, overflow, containers },
      of: container === NOBODY ? 'all' : [second, fourth].find(({ cgroup }) => cgroup.id === container)?.name,
    })),
    // Dropped in the shared window: all of the third's but those that passed, the fourth's until it had its own.
    shared: entryOf(node, NOBODY)?.dropped,
    sums: since(node, before),
    tries,
  });
  await end(node, second, third, fourth);
  guest.report('after the overflow', { containers: entryOf(node, NOBODY)?.containers ?? 0 });
  drain(node);
}
