// Floods of refused accesses, one after the other and side by side: what is emitted of them, and what is said of the rest.
import { startContainer, startRunc, until, type Container, type Guest } from '@alert-throttle/guest/inside';
import type { KernelEvent } from '@alert-throttle/kernel';
import { EnforcingNode, isAlert, ruleSetOf } from './node.ts';

const FILES = { '/etc/secret': 'secret', '/etc/public': 'public' };
const BINARIES = ['/usr/bin/busybox', '/usr/bin/dynamic'] as const;
const [first, second] = BINARIES;

const noBinaries = ruleSetOf([
  { process: { matchPaths: BINARIES.map((path) => ({ path })) }, severity: 7, action: 'Block' },
]);
const noSecret = ruleSetOf([{ file: { matchPaths: [{ path: '/etc/secret' }] }, action: 'Block' }]);
const secretSeen = ruleSetOf([{ file: { matchPaths: [{ path: '/etc/secret' }] }, action: 'Audit' }]);

export default async function floods(guest: Guest): Promise<void> {
  const node = new EnforcingNode();
  node.limit({ maxAlertPerSec: 2, throttleSec: 60 });
  node.kernel.activate();
  await fiveExecutions(guest, node);
  await neighbours(guest, node);
  await exactCounts(guest, node);
  await intervalsEnd(guest, node);
  await onOverlay(guest, node);
  const { matched, emitted, lost, dropped } = node.kernel.counters();
  guest.report('counters', { matched, emitted, lost, dropped });
  node.detach();
}

/** A second in which something happened: where the machine was too slow for that, it is done again. */
async function withinOneSecond<T>(attempt: (index: number) => Promise<T>): Promise<T> {
  for (let index = 0; index < 20; index++) {
    const startMs = performance.now();
    const result = await attempt(index);
    if (performance.now() - startMs < 900) return result;
  }
  throw new Error('the guest is too slow to do this within a second');
}

async function fiveExecutions(guest: Guest, node: EnforcingNode): Promise<void> {
  const { container, replies } = await withinOneSecond(async (index) => {
    const container = await startContainer(`five-${index}`);
    node.protect(container, noBinaries);
    node.events();
    const replies = await container.child(
      ...[first, second, first, second, first].map((path) => ['become', path] as const),
    );
    return { container, replies };
  });
  const events = node.events();
  guest.report('five executions', {
    container: container.cgroup.id,
    errors: replies.map(({ error }) => error),
    events: events.map((event) => (isAlert(event) ? node.describe(event) : event)),
    entry: entryOf(node, container),
  });
  await container.do('hammer', 100, 'become', first);
  node.kernel.sweep();
  guest.report('nothing after', { events: node.events(), entry: entryOf(node, container) });
  await stop(node, container);
  guest.report('removed', { events: thresholds(node.events()) });
}

function entryOf(node: EnforcingNode, { cgroup }: Container) {
  return node.kernel.throttleMap().find((entry) => entry.container === cgroup.id);
}

async function neighbours(guest: Guest, node: EnforcingNode): Promise<void> {
  const [loud, louder, quiet] = [
    await protectedContainer(node, 'loud'),
    await protectedContainer(node, 'louder'),
    await protectedContainer(node, 'quiet'),
  ];
  node.events();
  const floods = [loud, louder].map((one) => one.do('parallel', 2, 1000, 'open', '/etc/secret', 'r'));
  const alone = await quiet.do('open', '/etc/secret', 'r');
  await Promise.all(floods);
  const events = node.events();
  const of = ({ cgroup }: Container) => events.filter((event) => containerOf(event) === cgroup.id);
  guest.report('neighbours', {
    alone: alone.error,
    loud: of(loud).map(({ type }) => type),
    louder: of(louder).map(({ type }) => type),
    quiet: of(quiet).map(({ type }) => type),
  });
  for (const one of [loud, louder, quiet]) await stop(node, one);
  node.events();
}

/** Several containers, the interval of each ended by the end of its container. */
async function exactCounts(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await protectedContainer(node, 'counted');
  node.events();
  const reply = await container.do('hammer', 2000, 'open', '/etc/secret', 'r');
  await container.do('hammer', 10, 'open', '/etc/public', 'r');
  await stop(node, container);
  const events = await collect(node, (all) => all.some(({ type }) => type === 'thresholdEnded'));
  guest.report('counted', { failed: reply.failed, summary: summaryOf(events), events: thresholds(events) });
}

/** The interval ends although the container is silent. */
async function intervalsEnd(guest: Guest, node: EnforcingNode): Promise<void> {
  node.limit({ maxAlertPerSec: 2, throttleSec: 2 });
  const container = await protectedContainer(node, 'ending');
  node.events();
  const { failed } = await container.do('hammer', 500, 'open', '/etc/secret', 'r');
  const ended = await collect(node, (all) => {
    const summary = summaryOf(all);
    return summary.thresholds > 0 && summary.thresholds === summary.ended;
  });
  const again = await container.do('open', '/etc/secret', 'r');
  guest.report('interval over', {
    failed,
    summary: summaryOf(ended),
    events: thresholds(ended),
    again: again.error,
    after: node.events().map(({ type }) => type),
  });
  await stop(node, container);
  node.limit({ maxAlertPerSec: 2, throttleSec: 60 });
}

async function onOverlay(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startRunc('overlay', {
    files: FILES,
    beforeStart: (created) => node.protect(created, noSecret, true),
  });
  node.events();
  const before = node.kernel.counters();
  const { failed } = await container.do('hammer', 1000, 'open', '/etc/secret', 'r');
  const open = await container.do('read', '/etc/public');
  const after = node.kernel.counters();
  await stop(node, container);
  const events = await collect(node, (all) => all.some(({ type }) => type === 'thresholdEnded'));

  const audited = await startRunc('audited', {
    files: FILES,
    beforeStart: (created) => node.protect(created, secretSeen, true),
  });
  node.events();
  const read = await audited.do('hammer', 100, 'read', '/etc/secret');
  const seen = node.events().filter(isAlert);
  await stop(node, audited);
  guest.report('runc', {
    failed,
    open: open.data,
    matched: after.matched - before.matched,
    summary: summaryOf(events),
    read: read.good,
    seen: seen.length,
    resources: [...new Set(seen.map(({ resource }) => resource))],
  });
  node.events();
}

async function protectedContainer(node: EnforcingNode, name: string): Promise<Container> {
  const container = await startContainer(name, { files: FILES });
  node.protect(container, noSecret);
  return container;
}

async function stop(node: EnforcingNode, container: Container): Promise<void> {
  await container.stop();
  node.forget(container);
  node.kernel.sweep();
}

/** Sweeps, as a producer does each second, until the events are all there. */
async function collect(
  node: EnforcingNode,
  enough: (events: readonly KernelEvent[]) => boolean,
): Promise<KernelEvent[]> {
  const all = node.events();
  await until('the reports of intervals', () => {
    node.kernel.sweep();
    all.push(...node.events());
    return enough(all);
  });
  return all;
}

function summaryOf(events: readonly KernelEvent[]) {
  const alerts = events.filter(isAlert).length;
  const dropped = events.reduce((sum, one) => sum + (one.type === 'thresholdEnded' ? one.dropped : 0), 0);
  return {
    alerts,
    dropped,
    thresholds: events.filter(({ type }) => type === 'threshold').length,
    ended: events.filter(({ type }) => type === 'thresholdEnded').length,
    malformed: events.filter(({ type }) => type === 'malformed').length,
  };
}

function thresholds(events: readonly KernelEvent[]): KernelEvent[] {
  return events.filter(({ type }) => type === 'threshold' || type === 'thresholdEnded');
}

function containerOf(event: KernelEvent): bigint | undefined {
  return 'container' in event ? event.container : undefined;
}
