// One container raises audit alerts as fast as all CPUs can; its neighbour's Block alerts must not suffer.
import { availableParallelism } from 'node:os';
import { startContainer, type Guest } from '@alert-throttle/guest/inside';
import type { KernelEvent } from '@alert-throttle/kernel';
import { ruleSetOf, type EnforcingNode } from '../enforcement/node.ts';
import {
  alertTimes,
  count,
  drain,
  end,
  lostIn,
  of,
  readDuring,
  readUntil,
  refuse,
  SECRET,
  secretContainer,
  since,
  thresholds,
} from './shared.ts';

const AUDITED_EACH = 3000;

export async function loudNeighbour(guest: Guest, node: EnforcingNode): Promise<void> {
  node.limit({ maxAlertPerSec: 5, throttleSec: 1 });
  const loud = await startContainer('loud', { files: { [SECRET]: 'secret' } });
  node.protect(loud, ruleSetOf([{ file: { matchPaths: [{ path: SECRET }] }, action: 'Audit' }]));
  const quiet = await secretContainer(node, 'quiet');
  drain(node);
  const before = node.kernel.counters();
  const processes = availableParallelism();
  const events: KernelEvent[] = [];

  const flooding = { over: false };
  const flood = loud.do('parallel', processes, AUDITED_EACH, 'open', SECRET, 'r').finally(() => {
    flooding.over = true;
  });
  let refused = 0;
  const attempts = (async () => {
    do refused += (await refuse(quiet, 20)).failed?.['EACCES'] ?? 0;
    while (!flooding.over);
  })();
  const [seen] = await readDuring(node, Promise.all([flood, attempts]), events);
  const audit = () => {
    const now = node.kernel.counters();
    return {
      emitted: Number(now.auditEmitted - before.auditEmitted),
      lost: Number(now.auditLost - before.auditLost),
    };
  };
  await readUntil(
    node,
    'what is due',
    (all) =>
      count(all, 'threshold') === count(all, 'thresholdEnded') && lostIn(of(all, loud)) === audit().lost,
    events,
  );
  guest.report('loud neighbour', {
    ...{ processes, opened: seen.good, refused, sums: since(node, before), audit: audit() },
    loud: { alerts: alertTimes(of(events, loud)).length, lost: lostIn(of(events, loud)) },
    quiet: { alerts: alertTimes(of(events, quiet)).length, lost: lostIn(of(events, quiet)) },
    rings: [...new Set(of(events, quiet).map((one) => one.ring))],
    crossings: thresholds(of(events, quiet)).map(({ type, intervalStartNs, dropped }) => ({
      type,
      start: intervalStartNs,
      dropped,
    })),
  });
  await end(node, loud, quiet);
  drain(node);
}
