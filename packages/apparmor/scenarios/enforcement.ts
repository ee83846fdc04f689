// AppArmor as the enforcer, in a kernel that asks no BPF programs: what is refused, what is heard of it, and what spends
// no budget although it fails.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  allowingProfile,
  loadProfile,
  profilesInUse,
  profileOf,
  removeProfile,
} from '@alert-throttle/apparmor';
import {
  DYNAMIC_PROGRAM,
  LOADER,
  startContainer,
  startRunc,
  until,
  type Container,
  type Guest,
} from '@alert-throttle/guest/inside';
import type { KernelEvent } from '@alert-throttle/kernel';
import { isAlert, ruleSetOf } from '../../kernel/scenarios/enforcement/node.ts';
import { ConfiningNode, confinement, nameOf } from './node.ts';

const FILES = { '/etc/secret': 'secret', '/etc/public': 'public' };
const PROGRAMS = ['/usr/bin/busybox', '/usr/bin/dynamic'] as const;
const [first, second] = PROGRAMS;

const noPrograms = ruleSetOf([
  { process: { matchPaths: PROGRAMS.map((path) => ({ path })) }, severity: 7, action: 'Block' },
]);
const noSecret = ruleSetOf([{ file: { matchPaths: [{ path: '/etc/secret' }] }, action: 'Block' }]);

export default async function enforcement(guest: Guest): Promise<void> {
  const node = new ConfiningNode();
  node.limit({ maxAlertPerSec: 2, throttleSec: 3600 });
  node.kernel.activate();
  await fiveExecutions(guest, node);
  await neighbours(guest, node);
  await counted(guest, node);
  await failures(guest, node);
  node.limit(undefined);
  await comesAndGoes(guest, node);
  await underAnother(guest, node);
  await byRunc(guest, node);
  await waysRound(guest, node);
  const { matched, emitted, lost, dropped } = node.kernel.counters();
  guest.report('counters', { matched, emitted, lost, dropped });
  node.detach();
}

async function begin(node: ConfiningNode, name: string): Promise<Container> {
  return startContainer(name, { files: FILES, ...node.startOptions(name) });
}

async function stop(node: ConfiningNode, container: Container): Promise<void> {
  await container.stop();
  node.forget(container);
  node.kernel.sweep();
}

/** A second in which something happened: where the machine was too slow for that, it is done again. */
async function fiveExecutions(guest: Guest, node: ConfiningNode): Promise<void> {
  for (let index = 0; ; index++) {
    const container = await begin(node, `five-${index}`);
    node.protect(container, noPrograms);
    node.events();
    const startMs = performance.now();
    const replies = await container.child(
      ...[first, second, first, second, first].map((path) => ['become', path] as const),
    );
    const isSlow = performance.now() - startMs > 900;
    if (isSlow && index < 20) {
      await stop(node, container);
      continue;
    }
    const events = node.events();
    guest.report('five executions', {
      errors: replies.map(({ error }) => error),
      events: events.map((event) => (isAlert(event) ? node.describe(event) : event)),
      entry: entryOf(node, container),
    });
    await container.do('hammer', 100, 'become', first);
    node.kernel.sweep();
    guest.report('nothing after', { events: node.events(), entry: entryOf(node, container) });
    await container.stop();
    guest.report('container gone', {
      events: node.events().filter(isReport),
      entry: entryOf(node, container),
    });
    node.forget(container);
    return;
  }
}

function isReport({ type }: KernelEvent): boolean {
  return type === 'threshold' || type === 'thresholdEnded';
}

function entryOf(node: ConfiningNode, { cgroup }: Container) {
  return node.kernel.throttleMap().find((entry) => entry.container === cgroup.id);
}

async function neighbours(guest: Guest, node: ConfiningNode): Promise<void> {
  const containers = [await begin(node, 'loud'), await begin(node, 'quiet')];
  const [loud, quiet] = containers;
  if (loud === undefined || quiet === undefined) throw new Error('no containers');
  for (const one of containers) node.protect(one, noSecret);
  node.events();
  const flood = loud.do('parallel', 2, 500, 'open', '/etc/secret', 'r');
  const alone = await quiet.do('open', '/etc/secret', 'r');
  await flood;
  const events = node.events();
  const of = ({ cgroup }: Container) =>
    events.flatMap((event) => ('container' in event && event.container === cgroup.id ? [event.type] : []));
  guest.report('neighbours', { alone: alone.error, loud: of(loud), quiet: of(quiet) });
  for (const one of containers) await stop(node, one);
  node.events();
}

/** From several processes at once; the report of it comes when the container is gone. */
async function counted(guest: Guest, node: ConfiningNode): Promise<void> {
  const container = await begin(node, 'counted');
  node.protect(container, noSecret);
  node.events();
  const { failed } = await container.do('parallel', 4, 250, 'open', '/etc/secret', 'r');
  await container.do('hammer', 10, 'open', '/etc/public', 'r');
  await stop(node, container);
  const events = node.events();
  guest.report('counted', {
    failed,
    alerts: events.filter(isAlert).length,
    thresholds: events.filter(({ type }) => type === 'threshold').length,
    dropped: events.flatMap((event) =>
      event.type === 'thresholdEnded' ? [event.dropped, event.endedBy] : [],
    ),
    missed: node.kernel.programs().reduce((sum, { recursionMisses }) => sum + recursionMisses, 0n),
  });
}

/** Failing calls that no rule is about, many times over; then one that a rule is about. */
async function failures(guest: Guest, node: ConfiningNode): Promise<void> {
  const container = await begin(node, 'failing');
  const ruleSet = ruleSetOf([
    {
      file: { matchPaths: [{ path: '/etc/secret' }] },
      process: { matchPaths: [{ path: first }] },
      capabilities: { matchCapabilities: [{ capability: 'sys_time' }] },
      network: { matchProtocols: [{ protocol: 'raw' }] },
      action: 'Block',
    },
  ]);
  const profile = profileOf(ruleSet, { name: nameOf('failing') });
  node.protect(container, ruleSet);
  // What the profile refuses by itself, as other profiles of a node do.
  loadProfile(profile.replace(/}\n$/, '  deny "/etc/public" w,\n  deny capability sys_chroot,\n}\n'));
  chmodSync(join(container.root ?? '', 'etc/public'), 0o600);
  const user = await container.enter({ uid: 1000 });
  node.events();
  const before = node.kernel.counters();
  const outcomes = [
    await container.do('hammer', 50, 'connect', 'inet', 'stream', 0, '127.0.0.1', 9),
    await container.do('hammer', 50, 'mkdir', '/etc'),
    await container.do('hammer', 50, 'unlink', '/etc/nothing'),
    await container.do('hammer', 50, 'open', '/etc/nothing', 'r'),
    await user.do('hammer', 50, 'open', '/etc/public', 'r'),
    await user.do('hammer', 50, 'become', '/etc/secret'),
    await user.do('hammer', 50, 'capability', 'sys_time'),
    await container.do('hammer', 50, 'open', '/etc/public', 'w'),
    await container.do('hammer', 50, 'capability', 'sys_chroot'),
  ].map(({ failed }) => failed);
  const after = node.kernel.counters();
  guest.report('failures', {
    outcomes,
    events: node.events().map(({ type }) => type),
    entry: entryOf(node, container),
    byOthers: after.refusedByOthers - before.refusedByOthers,
  });
  const { error } = await container.do('open', '/etc/secret', 'r');
  guest.report('heard all the same', { error, events: node.events().map(({ type }) => type) });
  await stop(node, container);
}

/** The last policy goes and comes back while a process is in the profile. */
async function comesAndGoes(guest: Guest, node: ConfiningNode): Promise<void> {
  const container = await begin(node, 'stays');
  const open = async (): Promise<string> => (await container.do('open', '/etc/secret', 'r')).error;
  const seen: Record<string, unknown> = { without: await open() };
  node.protect(container, noSecret);
  seen['with'] = await open();
  node.unprotect(container);
  seen['gone'] = await open();
  seen['stillIn'] = confinement(container);
  seen['inUse'] = profilesInUse().has(nameOf('stays'));
  node.protect(container, noSecret);
  seen['back'] = await open();
  const child = await container.child(['open', '/etc/secret', 'r']);
  seen['child'] = child.map(({ error }) => error);
  // Taken away too early, as nobody should: the process is never held again.
  removeProfile(nameOf('stays'));
  loadProfile(profileOf(noSecret, { name: nameOf('stays') }));
  seen['removed'] = { open: await open(), confinement: confinement(container) };
  guest.report('comes and goes', seen);
  await stop(node, container);
  guest.report('unused', { inUse: profilesInUse().has(nameOf('stays')) });
  node.events();
}

/** Nothing is enforced in it, and that is heard. */
async function underAnother(guest: Guest, node: ConfiningNode): Promise<void> {
  loadProfile(allowingProfile('somebody-elses'));
  for (const [name, apparmorProfile] of [
    ['unconfined', undefined],
    ['elsewhere', 'somebody-elses'],
  ] as const) {
    const container = await startContainer(name, {
      files: FILES,
      ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    });
    node.protect(container, noSecret);
    node.events();
    const before = node.kernel.counters().unenforced;
    const { error } = await container.do('open', '/etc/secret', 'r');
    const alerts = node.events().filter(isAlert);
    guest.report(name, {
      error,
      confinement: confinement(container),
      alerts: alerts.map(({ result, ring, flags }) => ({ result, ring, audited: flags.audited })),
      unenforced: node.kernel.counters().unenforced - before,
    });
    await stop(node, container);
  }
}

async function byRunc(guest: Guest, node: ConfiningNode): Promise<void> {
  node.limit({ maxAlertPerSec: 2, throttleSec: 3600 });
  const container = await startRunc('overlay', {
    files: FILES,
    ...node.startOptions('overlay'),
    beforeStart: (created) => node.protect(created, noSecret, true),
  });
  node.events();
  const { failed } = await container.do('hammer', 200, 'open', '/etc/secret', 'r');
  const { data } = await container.do('read', '/etc/public');
  const events = node.events();
  guest.report('runc', {
    ...{ failed, data, confinement: confinement(container) },
    alerts: events.filter(isAlert).map(({ resource }) => resource),
    thresholds: events.filter(({ type }) => type === 'threshold').length,
    entry: entryOf(node, container),
  });
  await stop(node, container);
  const all = node.events();
  await until('the report', () => {
    node.kernel.sweep();
    all.push(...node.events());
    return all.some(({ type }) => type === 'thresholdEnded');
  });
  guest.report('runc ended', {
    dropped: all.flatMap((event) => (event.type === 'thresholdEnded' ? [event.dropped] : [])),
  });
  node.limit(undefined);
}

/** Other ways to the same file, by whoever is in the container. */
async function waysRound(guest: Guest, node: ConfiningNode): Promise<void> {
  const container = await begin(node, 'ways');
  node.protect(
    container,
    ruleSetOf([
      {
        file: { matchPaths: [{ path: '/etc/secret' }] },
        process: { matchPaths: [{ path: DYNAMIC_PROGRAM }] },
        action: 'Block',
      },
    ]),
  );
  writeFileSync(join(container.root ?? '', 'etc/elsewhere'), 'x');
  node.events();
  const seen: Record<string, unknown> = {};
  const attempt = async (name: string, ...operation: Parameters<Container['do']>): Promise<void> => {
    const [reply] = await container.child(operation);
    const alerts = node.events().filter(isAlert);
    seen[name] = {
      error: reply?.error,
      status: reply?.status,
      alerts: alerts.map(({ operation: what, resource, result }) => `${what} ${resource} ${result}`),
    };
  };
  await attempt('link', 'link', '/etc/secret', '/etc/other');
  await attempt('rename', 'rename', '/etc/secret', '/etc/other');
  await attempt('unlink', 'unlink', '/etc/secret');
  await attempt('bind', 'mount', '/etc', '/tmp', '-', 'bind');
  await attempt('loader', 'exec', LOADER, DYNAMIC_PROGRAM);
  await attempt('program', 'exec', DYNAMIC_PROGRAM);
  guest.report('ways round', seen);
  await stop(node, container);
}
