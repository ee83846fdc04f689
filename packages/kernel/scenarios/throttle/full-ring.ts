// The ring is full when a window is crossed, and stays so: what is due waits for its reader, each in its turn.
import type { Guest } from '@alert-throttle/guest/inside';
import type { EnforcingNode } from '../enforcement/node.ts';
import {
  count,
  drain,
  end,
  entryOf,
  HOUR,
  lostIn,
  of,
  readUntil,
  refuse,
  secretContainer,
  since,
  thresholds,
  typesOf,
} from './shared.ts';

export async function fullRing(guest: Guest, node: EnforcingNode): Promise<void> {
  const filler = await secretContainer(node, 'filler');
  const crossing = await secretContainer(node, 'crossing');
  drain(node);
  const before = node.kernel.counters();
  const ringBefore = node.kernel.rings().enforcement;

  // From here on nobody reads.
  node.limit(undefined);
  await refuse(filler, 300);
  for (const maxAlertPerSec of [2, 3]) {
    node.limit({ maxAlertPerSec, throttleSec: HOUR });
    await refuse(crossing, 200);
    node.kernel.sweep();
    node.limit(undefined);
    node.kernel.sweep();
  }
  const waiting = entryOf(node, crossing.cgroup.id);
  guest.report('full', {
    sums: since(node, before),
    entry: { matched: waiting?.matched, dropped: waiting?.dropped, lost: waiting?.lost },
    intervals: waiting?.intervals.map(({ announced, endedBy, dropped }) => ({ announced, endedBy, dropped })),
  });

  const events = await readUntil(
    node,
    'the reports that waited',
    (all) => count(all, 'thresholdEnded') >= 2 && lostIn(all) >= since(node, before).lost,
  );
  node.kernel.sweep();
  events.push(...drain(node));
  const ring = node.kernel.rings().enforcement;
  guest.report('read again', {
    sums: since(node, before),
    alerts: count(events, 'alert'),
    lostOf: { filler: lostIn(of(events, filler)), crossing: lostIn(of(events, crossing)) },
    types: typesOf(of(events, crossing)).filter((type) => type !== 'lost'),
    thresholds: thresholds(of(events, crossing)),
    // Numbers that never came, against those that were announced.
    missing: Number(ring.number - ringBefore.number) - events.length,
    announced: lostIn(events),
    left: entryOf(node, crossing.cgroup.id)?.intervals.length,
  });
  await end(node, filler, crossing);
  guest.report('after the full ring', {
    types: [...new Set(typesOf(drain(node)))],
    entries: node.kernel.throttleMap().length,
  });
}
