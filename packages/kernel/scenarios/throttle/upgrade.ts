// The programs are replaced while a throttled container hammers, with a larger throttle map: it never gets through, and
// its window goes on.
import type { Guest } from '@alert-throttle/guest/inside';
import type { KernelEvent, KernelSizes } from '@alert-throttle/kernel';
import { EnforcingNode } from '../enforcement/node.ts';
import {
  alertTimes,
  count,
  drain,
  end,
  entryOf,
  HOUR,
  noSecret,
  of,
  readUntil,
  refuse,
  secretContainer,
  SECRET,
  since,
  thresholds,
} from './shared.ts';

/** The same programs and one more. */
const NEXT = '/w/native/build/next.bpf.o';

/** The node that has taken over. */
export async function upgrade(
  guest: Guest,
  node: EnforcingNode,
  sizes: Partial<KernelSizes>,
): Promise<EnforcingNode> {
  const limits = { maxAlertPerSec: 2, throttleSec: HOUR };
  node.limit(limits);
  const container = await secretContainer(node, 'upgraded');
  drain(node);
  const before = node.kernel.counters();
  const throttled = await refuse(container, 50);
  const [first, windowsBefore] = [of(drain(node), container), node.kernel.throttleMap().length];
  let [refused, good] = [throttled.failed?.['EACCES'] ?? 0, throttled.good ?? 0];
  const hammering = { over: false };
  const hammer = (async () => {
    // Longer than the change of the programs takes, however long that is.
    do {
      const reply = await container.do('parallel', 2, 50, 'open', SECRET, 'r');
      refused += reply.failed?.['EACCES'] ?? 0;
      good += reply.good ?? 0;
    } while (!hammering.over);
  })();
  node.kernel.close();
  const next = new EnforcingNode({ object: NEXT, sizes });
  next.protect(container, noSecret);
  next.kernel.activate();
  // Some attempts under the new programs alone.
  await refusedMore(next);
  hammering.over = true;
  await hammer;
  const events: KernelEvent[] = [...first, ...of(drain(next), container)];
  const entry = entryOf(next, container.cgroup.id);
  guest.report('upgraded', {
    ...{ adopted: next.kernel.adopted, refused, good, windowsBefore, sums: since(next, before) },
    limits: next.kernel.limits(0),
    windows: next.kernel.throttleMap().length,
    notes: next.kernel.notes,
    alerts: alertTimes(events).length,
    thresholds: count(events, 'threshold'),
    entry: { matched: entry?.matched, dropped: entry?.dropped, intervals: entry?.intervals.length },
  });
  next.limit(undefined);
  const reports = await readUntil(next, 'the report', (all) => count(all, 'thresholdEnded') > 0);
  guest.report('after the upgrade', {
    reports: thresholds(reports).map(({ type, dropped, endedBy }) => ({ type, dropped, endedBy })),
  });
  await end(next, container);
  drain(next);
  return next;
}

/** Until the programs of this node have refused something. */
async function refusedMore({ kernel }: EnforcingNode): Promise<void> {
  const start = kernel.counters().matched;
  while (kernel.counters().matched < start + 200n) await new Promise((resolve) => setTimeout(resolve, 20));
}
