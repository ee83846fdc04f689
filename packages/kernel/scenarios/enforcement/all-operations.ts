// Every operation that rules judge, by itself: refused in one container, watched in the next, and in one that is only
// audited. What the programs say of each is in the report, in the order in which it happened.
import type { Guest } from '@alert-throttle/guest/inside';
import { EnforcingNode, isAlert, ruleSetOf } from './node.ts';
import { GUARDED } from './operations.ts';
import { OperationsContainer } from './run-operations.ts';

export const CONTAINERS = {
  blocked: { action: 'Block', audited: false },
  watched: { action: 'Audit', audited: false },
  'of an audited pod': { action: 'Block', audited: true },
} as const;
export type ContainerKind = keyof typeof CONTAINERS;

/** Of the node's counters, how much each went up. */
export const COUNTED = ['matched', 'emitted', 'lost', 'dropped', 'auditEmitted', 'auditLost'] as const;

/** Containers share the network of the guest. */
export const portOf = (kind: ContainerKind): number => 21_000 + 10 * Object.keys(CONTAINERS).indexOf(kind);

export const idOf = (kind: ContainerKind): string => kind.replaceAll(' ', '-');

export default async function allOperations(guest: Guest): Promise<void> {
  const node = new EnforcingNode();
  node.limit(undefined);
  node.kernel.activate();
  for (const kind of Object.keys(CONTAINERS) as ContainerKind[]) {
    const { action, audited } = CONTAINERS[kind];
    const operations = await OperationsContainer.start(idOf(kind), portOf(kind));
    const { container } = operations;
    const ruleSet = ruleSetOf([{ ...GUARDED, action }], { audited });
    // Privileged, so that mounts are refused where a rule is in the way, and nowhere else.
    node.protect(container, ruleSet, false, true);
    node.events();
    const before = node.kernel.counters();
    const outcomes = await operations.tryAll();
    const events = node.events();
    const after = node.kernel.counters();
    guest.report(kind, {
      outcomes,
      pid: container.pid,
      others: events.filter((event) => !isAlert(event)),
      alerts: events.filter(isAlert).map((event) => ({
        ...event,
        text: node.describe(event),
        isOwn: event.container === container.cgroup.id && event.mntNs === container.mntNs,
        ruled: ruleSet.rules.find(({ number }) => number === event.rule)?.path,
      })),
      counted: COUNTED.map((name) => Number(after[name] - before[name])),
    });
    await container.stop();
    node.forget(container);
  }
  node.detach();
}
