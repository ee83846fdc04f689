// As many containers as a large node has, each with a task, all at once: each refused, each counted in its own window.
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupAt, CGROUPS, startContainer, type Guest } from '@alert-throttle/guest/inside';
import type { KernelEvent } from '@alert-throttle/kernel';
import { ruleSetOf, type EnforcingNode } from '../enforcement/node.ts';
import { count, drain, HOUR, readDuring, readUntil, since } from './shared.ts';

const PATH = '/run/many/secret';
/** Each container tries so often, and by its number up to six times more. */
const TIMES = 10;
/** As often as a producer does: a look through thousands of windows is work. */
const READ_MS = 1000;

export async function many(guest: Guest, node: EnforcingNode, containers: number): Promise<void> {
  node.limit({ maxAlertPerSec: 2, throttleSec: HOUR });
  mkdirSync('/run/many', { recursive: true });
  writeFileSync(PATH, 'secret');
  const leader = await startContainer('leader', { root: 'host' });
  const ruleSet = node.kernel.installRuleSet(
    ruleSetOf([{ file: { matchPaths: [{ path: PATH }] }, action: 'Block' }]),
  );
  const folder = join(CGROUPS, 'many');
  mkdirSync(folder);
  const ids: bigint[] = [];
  const seconds: number[] = [];
  let sinceMs = performance.now();
  const lap = (): void => {
    seconds.push(Math.round((performance.now() - sinceMs) / 100) / 10);
    sinceMs = performance.now();
  };
  const { pidNs, mntNs, rootDev, rootIno } = leader;
  for (let index = 0; index < containers; index++) {
    const path = join(folder, String(index));
    mkdirSync(path);
    const { id } = cgroupAt(path);
    node.kernel.registerContainer({
      ...{ cgroupId: id, pidNs, mntNs, rootDev, rootIno, ruleSet, profile: 0, privileged: false },
      descendants: () => [],
    });
    ids.push(id);
    if (index % 200 === 199) drain(node);
  }
  drain(node);
  lap();
  const before = node.kernel.counters();
  const events: KernelEvent[] = [];
  const swarm = leader.do('swarm', folder, containers, TIMES, 'open', PATH, 'r');
  const { good, failed } = await readDuring(node, swarm, events, READ_MS);
  events.push(...drain(node));
  const entries = new Map(node.kernel.throttleMap().map((entry) => [entry.container, entry]));
  const sums = since(node, before);
  lap();

  // Each goes with its report, which follows from its end alone.
  for (const [index] of ids.entries()) {
    rmdirSync(join(folder, String(index)));
    if (index % 200 === 199) events.push(...drain(node));
  }
  await readUntil(
    node,
    'every report',
    (all) => count(all, 'threshold') === count(all, 'thresholdEnded'),
    events,
  );
  lap();
  const cells = new Map(ids.map((id) => [id, { alerts: 0, thresholds: 0, reports: 0, dropped: 0 }]));
  let strangers = 0;
  for (const event of events) {
    if (event.type !== 'alert' && event.type !== 'threshold' && event.type !== 'thresholdEnded') continue;
    const cell = cells.get(event.container);
    if (cell === undefined) strangers += 1;
    else if (event.type === 'alert') cell.alerts += 1;
    else if (event.type === 'threshold') cell.thresholds += 1;
    else {
      cell.reports += event.endedBy === 'container' ? 1 : 100;
      cell.dropped += event.dropped;
    }
  }
  guest.report('many', {
    ...{ containers, good, failed, sums, strangers, times: TIMES, seconds },
    left: node.kernel.throttleMap().filter(({ container }) => cells.has(container)).length,
    // One text per container: the serial line is slow.
    cells: [...cells].map(([id, { alerts, thresholds, reports, dropped }]) => {
      const entry = entries.get(id);
      return [entry?.matched, entry?.dropped, alerts, thresholds, reports, dropped].join(' ');
    }),
  });
  await leader.stop();
}
