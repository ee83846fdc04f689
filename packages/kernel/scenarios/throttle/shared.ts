// What the scenarios of the throttle share: a container with one forbidden file, and readers that miss no event.
import { setTimeout as sleep } from 'node:timers/promises';
import { startContainer, until, type Container } from '@alert-throttle/guest/inside';
import type { Counters, KernelEvent, ThresholdEndedEvent, ThresholdEvent } from '@alert-throttle/kernel';
import { ruleSetOf, type EnforcingNode } from '../enforcement/node.ts';

export const SECRET = '/etc/secret';
export const OTHER = '/etc/other';
const FILES = { [SECRET]: 'secret', [OTHER]: 'other' };

export const noSecret = ruleSetOf([{ file: { matchPaths: [{ path: SECRET }] }, action: 'Block' }]);

/** An hour: what ends such an interval is never time. */
export const HOUR = 3600;

export async function secretContainer(node: EnforcingNode, name: string): Promise<Container> {
  const container = await startContainer(name, { files: FILES });
  node.protect(container, noSecret);
  return container;
}

export function refuse(container: Container, times: number, path = SECRET) {
  return container.do('hammer', times, 'open', path, 'r');
}

/** All that is in the rings now, in the order in which it lies in each. */
export function drain(node: EnforcingNode): KernelEvent[] {
  const all: KernelEvent[] = [];
  for (let batch = node.kernel.poll(); batch.length > 0; batch = node.kernel.poll()) all.push(...batch);
  return all;
}

/** Reads and sweeps, as a producer does, until there is enough. */
export async function readUntil(
  node: EnforcingNode,
  what: string,
  enough: (events: readonly KernelEvent[]) => boolean,
  events: KernelEvent[] = [],
): Promise<KernelEvent[]> {
  await until(what, () => {
    node.kernel.sweep();
    events.push(...drain(node));
    return enough(events);
  });
  return events;
}

/** The same while something else happens. */
export async function readDuring<T>(
  node: EnforcingNode,
  work: Promise<T>,
  events: KernelEvent[],
  pauseMs = 50,
): Promise<T> {
  const over = work.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([over, sleep(pauseMs, false)]))) {
    node.kernel.sweep();
    events.push(...drain(node));
  }
  return await work;
}

export function of(events: readonly KernelEvent[], { cgroup }: Container): KernelEvent[] {
  return events.filter((event) => event.type !== 'malformed' && event.container === cgroup.id);
}

export const count = (events: readonly KernelEvent[], type: KernelEvent['type']): number =>
  events.filter((event) => event.type === type).length;

export const typesOf = (events: readonly KernelEvent[]): string[] => events.map(({ type }) => type);

/** Alerts as the times at which they were raised. */
export const alertTimes = (events: readonly KernelEvent[]): bigint[] =>
  events.flatMap((event) => (event.type === 'alert' ? [event.timeNs] : []));

export const thresholds = (events: readonly KernelEvent[]): (ThresholdEvent | ThresholdEndedEvent)[] =>
  events.filter((event) => event.type === 'threshold' || event.type === 'thresholdEnded');

export const lostIn = (events: readonly KernelEvent[]): number =>
  events.reduce((sum, event) => sum + (event.type === 'lost' ? event.count : 0), 0);

type Sums = Readonly<Record<'matched' | 'emitted' | 'lost' | 'dropped', number>>;

/** What the counters have grown by. */
export function since(node: EnforcingNode, before: Counters): Sums {
  const now = node.kernel.counters();
  const grown = (name: keyof Sums): number => Number(now[name] - before[name]);
  return {
    matched: grown('matched'),
    emitted: grown('emitted'),
    lost: grown('lost'),
    dropped: grown('dropped'),
  };
}

export function entryOf(node: EnforcingNode, id: bigint) {
  return node.kernel.throttleMap().find(({ container }) => container === id);
}

/** Ends the container, as a runtime does, and then forgets it, as the kernel source does. */
export async function end(node: EnforcingNode, ...containers: readonly Container[]): Promise<void> {
  for (const container of containers) {
    await container.stop();
    node.forget(container);
  }
  node.kernel.sweep();
}
