// The ways in which a process comes to be in a container, as runc makes them: `exec` into it, namespaces of the host or of
// another container, cgroups that it makes itself. Each is judged by the rules of its container, and counts there.
import { statSync } from 'node:fs';
import { startRunc, type Container, type Guest, type RuncContainer } from '@alert-throttle/guest/inside';
import type { KernelEvent } from '@alert-throttle/kernel';
import { EnforcingNode, isAlert, NO_POSTURES, ruleSetOf } from './node.ts';

const SECRET = '/etc/secret';
const FILES = { [SECRET]: 'secret', '/etc/public': 'public', '/opt/unlisted': 'unlisted' };
const CGROUPS = '/sys/fs/cgroup';

const noSecret = ruleSetOf([{ file: { matchPaths: [{ path: SECRET }] }, action: 'Block' }]);
const secretSeen = ruleSetOf([{ file: { matchPaths: [{ path: SECRET }] }, action: 'Audit' }]);

/** Allowed are the workload, and the folders that it and runc read; runc looks into the root itself on its way in. */
const listed = ruleSetOf(
  [
    {
      process: { matchPaths: [{ path: '/usr/bin/workload' }] },
      file: {
        matchDirectories: [
          { dir: '/' },
          ...['/usr/', '/etc/', '/proc/', '/dev/', '/sys/'].map((dir) => ({ dir, recursive: true })),
        ],
      },
      action: 'Allow',
    },
  ],
  { postures: { ...NO_POSTURES, process: 'block', file: 'block' } },
);

export default async function entries(guest: Guest): Promise<void> {
  const node = new EnforcingNode();
  node.limit({ maxAlertPerSec: 2, throttleSec: 3600 });
  node.kernel.activate();
  await execUnderPosture(guest, node);
  await hostPid(guest, node);
  await sharedPid(guest, node);
  await ownCgroups(guest, node);
  node.detach();
}

async function execUnderPosture(guest: Guest, node: EnforcingNode): Promise<void> {
  node.limit(undefined);
  const container = await startRunc('posture', {
    files: FILES,
    beforeStart: (created) => node.protect(created, listed, true),
  });
  const started = described(node, container, node.events());
  const before = matched(node);
  const other = await container.exec();
  const entered = described(node, container, node.events());
  const allowed = await other.do('read', '/etc/public');
  const refused = [
    await other.do('open', '/opt/unlisted', 'r'),
    await other.do('exec', '/bin/cat', '/etc/public'),
  ];
  const { failed } = await other.do('hammer', 50, 'open', '/opt/unlisted', 'r');
  const { status, output } = await container.run('/bin/cat', '/etc/public');
  const events = node.events();
  guest.report('exec under posture', {
    ...{ started, entered },
    allowed: allowed.data,
    refused: refused.map(({ error }) => error),
    failed,
    run: { status, isRefused: output.includes('permission denied') },
    alerts: [...new Set(described(node, container, events))],
    counted: matched(node) - before,
    raised: events.filter(isAlert).length,
  });
  other.process.kill();
  await stop(node, container);
  node.limit({ maxAlertPerSec: 2, throttleSec: 3600 });
}

async function hostPid(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startRunc('host-pid', {
    files: FILES,
    pidNamespace: 'host',
    beforeStart: (created) => node.protect(created, noSecret, true),
  });
  node.events();
  const { failed } = await container.do('hammer', 200, 'open', SECRET, 'r');
  const alerts = node.events().filter(isAlert);
  guest.report('pid namespace of the host', {
    failed,
    isThatOfHost: container.pidNs === hostPidNs(),
    whose: whose(alerts, container),
    pids: alerts.every(({ pid, hostPid: seen }) => pid === container.pid && seen === container.pid),
    entry: entryOf(node, container),
  });
  await stop(node, container);
}

const hostPidNs = (): number => statSync('/proc/self/ns/pid').ino;

async function sharedPid(guest: Guest, node: EnforcingNode): Promise<void> {
  const protect = (ruleSet: typeof noSecret) => (created: Container) => node.protect(created, ruleSet, true);
  const first = await startRunc('first-of-two', { files: FILES, beforeStart: protect(noSecret) });
  const second = await startRunc('second-of-two', {
    files: FILES,
    pidNamespace: first,
    beforeStart: protect(noSecret),
  });
  const third = await startRunc('watched-third', {
    files: FILES,
    pidNamespace: first,
    beforeStart: protect(secretSeen),
  });
  node.events();
  const replies = [
    await first.do('hammer', 100, 'open', SECRET, 'r'),
    await second.do('hammer', 70, 'open', SECRET, 'r'),
    await third.do('hammer', 30, 'open', SECRET, 'r'),
  ];
  const events = node.events();
  const all = [first, second, third];
  guest.report('one pid namespace', {
    isOne: new Set(all.map(({ pidNs }) => pidNs)).size === 1,
    outcomes: replies.map(({ good, failed }) => ({ good, failed })),
    entries: all.map((one) => entryOf(node, one)),
    alerts: all.map(
      (one) => events.filter((event) => isAlert(event) && event.container === one.cgroup.id).length,
    ),
    thresholds: all.map(
      (one) =>
        events.filter((event) => event.type === 'threshold' && event.container === one.cgroup.id).length,
    ),
  });
  for (const one of [third, second, first]) await stop(node, one);
}

async function ownCgroups(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startRunc('delegated', {
    files: FILES,
    isDelegated: true,
    beforeStart: (created) => node.protect(created, noSecret, true),
  });
  node.events();
  const [, , made, , moved, refused] = await container.child(
    ['stat', CGROUPS],
    ['mkdir', `${CGROUPS}/child`],
    ['mkdir', `${CGROUPS}/child/deeper`],
    ['open', '/etc/public', 'r'],
    ['write', `${CGROUPS}/child/deeper/cgroup.procs`, '0'],
    ['hammer', 60, 'open', SECRET, 'r'],
  );
  // Its cgroup goes while it is there no more, and another takes the name.
  const again = await container.child(
    ['rmdir', `${CGROUPS}/child/deeper`],
    ['mkdir', `${CGROUPS}/child/deeper`],
    ['write', `${CGROUPS}/child/deeper/cgroup.procs`, '0'],
    ['hammer', 40, 'open', SECRET, 'r'],
  );
  const events = node.events();
  guest.report('cgroups of its own', {
    made: made?.error,
    moved: moved?.error,
    refused: refused?.failed,
    again: again.map(({ error, failed }) => failed ?? error),
    whose: whose(events.filter(isAlert), container),
    thresholds: events.filter(({ type }) => type === 'threshold').length,
    entry: entryOf(node, container),
  });
  await stop(node, container);
}

async function stop(node: EnforcingNode, container: RuncContainer): Promise<void> {
  await container.stop();
  node.forget(container);
  node.kernel.sweep();
  node.events();
}

const matched = (node: EnforcingNode): number => Number(node.kernel.counters().matched);

function entryOf(node: EnforcingNode, { cgroup }: Container) {
  const entry = node.kernel.throttleMap().find(({ container }) => container === cgroup.id);
  return entry && { matched: entry.matched, dropped: entry.dropped };
}

function whose(alerts: readonly { readonly container: bigint }[], { cgroup }: Container): object {
  const own = alerts.filter(({ container }) => container === cgroup.id).length;
  return { own, others: alerts.length - own };
}

/** What was raised, and a word where it is not this container's. */
function described(node: EnforcingNode, { cgroup }: Container, events: readonly KernelEvent[]): string[] {
  return events.filter(isAlert).map((event) => {
    const { PolicyName, Resource, Result } = node.describe(event) as Record<string, string>;
    const owner = event.container === cgroup.id ? '' : 'of somebody else: ';
    return `${owner}${event.operation} ${Resource ?? ''} ${PolicyName ?? ''} ${Result ?? ''}`;
  });
}
