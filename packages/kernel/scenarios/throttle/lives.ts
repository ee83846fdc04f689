// What ends a container's interval before its time: its death, and the end of its last policy.
import type { Guest } from '@alert-throttle/guest/inside';
import { ruleSetOf, type EnforcingNode } from '../enforcement/node.ts';
import {
  alertTimes,
  count,
  drain,
  end,
  entryOf,
  HOUR,
  noSecret,
  of,
  OTHER,
  readUntil,
  refuse,
  SECRET,
  secretContainer,
  thresholds,
  typesOf,
} from './shared.ts';

/** Throttled, silent, dead: nobody sweeps, and all is said when its cgroup goes. */
export async function diesSilent(guest: Guest, node: EnforcingNode): Promise<void> {
  node.limit({ maxAlertPerSec: 2, throttleSec: HOUR });
  const container = await secretContainer(node, 'dying');
  drain(node);
  const { failed } = await container.do('parallel', 2, 100, 'open', SECRET, 'r');
  const alive = of(drain(node), container);
  const entry = entryOf(node, container.cgroup.id);
  await container.stop();
  const dead = of(drain(node), container);
  guest.report('died', {
    ...{ failed, alerts: alertTimes(alive).length, thresholds: count(alive, 'threshold') },
    entry: { matched: entry?.matched, intervals: entry?.intervals.length },
    dead: typesOf(dead),
    reports: thresholds(dead).map(({ dropped, endedBy, lost }) => ({ dropped, endedBy, lost })),
    left: entryOf(node, container.cgroup.id) !== undefined,
  });
  node.forget(container);
  node.kernel.sweep();
  guest.report('forgotten', { types: typesOf(drain(node)) });
}

/** A policy is replaced, removed and comes again. */
export async function policies(guest: Guest, node: EnforcingNode): Promise<void> {
  node.limit({ maxAlertPerSec: 2, throttleSec: HOUR });
  const container = await secretContainer(node, 'policies');
  const { kernel } = node;
  const { id } = container.cgroup;
  drain(node);
  await refuse(container, 100);
  const first = of(drain(node), container);

  const both = kernel.installRuleSet(
    ruleSetOf([{ file: { matchPaths: [{ path: SECRET }, { path: OTHER }] }, action: 'Block' }]),
  );
  kernel.setRuleSet(id, both);
  kernel.sweep();
  const other = await refuse(container, 30, OTHER);
  kernel.sweep();
  const entry = entryOf(node, id);
  guest.report('replaced', {
    before: typesOf(first),
    passed: alertTimes(first).length,
    other: other.failed,
    events: typesOf(drain(node)),
    entry: { matched: entry?.matched, dropped: entry?.dropped, intervals: entry?.intervals.length },
  });

  kernel.setRuleSet(id, undefined);
  const open = await refuse(container, 10);
  const removed = await readUntil(node, 'the last report', (all) => count(all, 'thresholdEnded') > 0);
  kernel.sweep();
  removed.push(...drain(node));
  guest.report('removed', {
    open: open.good,
    events: removed,
    entry: entryOf(node, id) !== undefined,
  });

  kernel.removeRuleSet(both);
  const again = kernel.installRuleSet(noSecret);
  kernel.setRuleSet(id, again);
  const { failed } = await refuse(container, 100);
  const events = drain(node);
  const fresh = entryOf(node, id);
  guest.report('added again', {
    failed,
    alerts: alertTimes(events),
    thresholds: thresholds(events),
    entry: { matched: fresh?.matched, dropped: fresh?.dropped },
  });
  kernel.removeRuleSet(again);
  await end(node, container);
  drain(node);
}
