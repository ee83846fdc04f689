// Ways round the rules that were open once: each as the processes of a container would try it. Reports what each try came
// to, and how many alerts it raised.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  command,
  makeCgroup,
  startContainer,
  type Container,
  type Guest,
  type Operation,
} from '@alert-throttle/guest/inside';
import type { CompileOptions, RuleSet } from '@alert-throttle/policy';
import { EnforcingNode, isAlert, NO_POSTURES, ruleSetOf } from './node.ts';

const PROGRAM = '/usr/bin/dynamic';
const PINS = '/sys/fs/bpf/alert-throttle';
const FILES = {
  '/etc/secret': 'secret',
  '/opt/tools/sub/tool': 'tool',
  '/opt/plain/file': 'file',
  '/tmp/mine': 'mine',
  '/data/empty/file': 'file',
  '/vol/bin/tool': 'tool',
};

const noSecret = ruleSetOf([{ file: { matchPaths: [{ path: '/etc/secret' }] }, action: 'Block' }]);
const noTools = ruleSetOf([
  { process: { matchDirectories: [{ dir: '/opt/tools/', recursive: true }] }, action: 'Block' },
]);
const noProgram = ruleSetOf([{ process: { matchPaths: [{ path: PROGRAM }] }, action: 'Block' }]);
const noVolumeTool = ruleSetOf([{ process: { matchPaths: [{ path: '/vol/bin/tool' }] }, action: 'Block' }]);
const noName = ruleSetOf([{ process: { matchPaths: [{ execname: 'dynamic' }] }, action: 'Block' }]);
const noWrites = ruleSetOf([
  { file: { matchPaths: [{ path: '/etc/secret', readOnly: true }] }, action: 'Block' },
]);
const onlyData = ruleSetOf(
  [{ file: { matchDirectories: [{ dir: '/data/', recursive: true }] }, action: 'Allow' }],
  { postures: { ...NO_POSTURES, file: 'block' } satisfies CompileOptions['postures'] },
);

interface Registration {
  readonly privileged?: boolean;
  readonly rootDev?: bigint;
}

export default async function attacks(guest: Guest): Promise<void> {
  const node = new EnforcingNode();
  node.limit(undefined);
  await beforeActive(guest, node);

  const tries = async (
    name: string,
    ruleSet: RuleSet,
    operations: readonly Operation[],
    registration: Registration = {},
  ): Promise<void> => {
    const container = await startContainer(name.replaceAll(' ', '-'), { files: FILES });
    protect(node, container, ruleSet, registration);
    node.events();
    const results: string[] = [];
    for (const operation of operations) {
      const { ret, error } = await container.do(...operation);
      results.push(ret < 0 ? error : 'done');
    }
    guest.report(name, { results, alerts: node.events().filter(isAlert).length });
    await container.stop();
    node.forget(container);
    node.kernel.sweep();
  };

  await tries('directory of programs', noTools, [
    ['rename', '/opt/tools', '/opt/t2'],
    ['rename', '/opt/tools/sub', '/tmp/sub'],
    ['rename', '/opt/plain', '/opt/tools', 'exchange'],
    ['rename', '/opt/plain', '/opt/plain2'],
  ]);
  await tries('exchange of programs', noProgram, [
    ['rename', '/tmp/mine', PROGRAM, 'exchange'],
    ['rename', '/tmp/mine', '/opt/plain/file', 'exchange'],
  ]);
  await tries('mount into what is allowed', onlyData, [['mount', '/etc', '/data/empty', '-', 'bind']]);
  await tries(
    'privileged mount into what is allowed',
    onlyData,
    [
      ['open', '/data/empty/file', 'r'],
      ['mount', '/etc', '/data/empty', '-', 'bind'],
      ['open', '/data/empty/secret', 'r'],
    ],
    { privileged: true },
  );
  await failClosed(guest, node);
  await withoutRules(guest, node);
  await throughDetachedMount(guest, node);
  await tries('last component alone', noName, [
    ['link', PROGRAM, '/tmp/x'],
    ['rename', PROGRAM, '/tmp/x'],
    ['link', '/tmp/mine', '/tmp/x'],
  ]);
  await tries('append', noWrites, [
    ['open', '/etc/secret', 'r,append'],
    ['open', '/etc/secret', 'w,append'],
  ]);
  await mappedLater(guest, node);
  await pins(guest, node);
  await attempts(guest, node);
  await manyCgroups(guest, node);
  node.detach();
}

function protect(
  node: EnforcingNode,
  container: Container,
  ruleSet: RuleSet,
  registration: Registration,
): void {
  node.protect(container, ruleSet);
  const { cgroup, pidNs, mntNs, rootDev, rootIno } = container;
  node.kernel.registerContainer({
    ...{
      cgroupId: cgroup.id,
      pidNs,
      mntNs,
      rootDev,
      rootIno,
      profile: 0,
      starting: false,
      privileged: false,
    },
    ruleSet: node.handleOf(container),
    descendants: () => [],
    ...registration,
  });
}

/** A cgroup that is made below a container's after it was registered, and before anything is enforced. */
async function beforeActive(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('early', { files: FILES });
  node.protect(container, noSecret);
  const below = makeCgroup('containers/early/below');
  node.kernel.activate();
  writeFileSync(join(below.path, 'cgroup.procs'), String(container.pid));
  const { error } = await container.do('open', '/etc/secret', 'r');
  guest.report('cgroup made early', { results: [error], alerts: node.events().filter(isAlert).length });
  await container.stop();
  node.forget(container);
}

/** Through a clone of a mount that is mounted nowhere, a file has no path. */
async function throughDetachedMount(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('detached', { files: FILES });
  const tree = await container.do('open_tree', '/vol');
  await container.do('chdir', `/proc/self/fd/${tree.ret}`);
  protect(node, container, noVolumeTool, { rootDev: 0n });
  node.events();
  const results: string[] = [];
  const operations: readonly Operation[] = [
    ['rename', 'bin/tool', 'bin/t2'],
    ['link', 'bin/tool', 'bin/t2'],
    ['rename', 'bin', 'bin2'],
  ];
  for (const operation of operations) results.push((await container.do(...operation)).error);
  guest.report('no path', { results, alerts: node.events().filter(isAlert).length });
  await container.stop();
  node.forget(container);
}

/** On overlayfs, through descriptors that are older than the rule: one that writes, one that does not, one of another file. */
async function mappedLater(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('mapped', { root: 'overlay', files: FILES });
  const older: number[] = [];
  for (const [path, flags] of [
    ['/etc/secret', 'rw'],
    ['/etc/secret', 'r'],
    ['/tmp/mine', 'rw'],
  ] as const)
    older.push((await container.do('fd_open', path, flags)).ret);
  protect(node, container, noWrites, {});
  node.events();
  const results: string[] = [];
  for (const descriptor of older) {
    const { ret, error } = await container.do('fd_map_later', descriptor, 'x');
    results.push(ret < 0 ? error : 'done');
  }
  const { data } = await container.do('read', '/etc/secret');
  guest.report('mapped later', { results: [...results, data], alerts: node.events().filter(isAlert).length });
  await container.stop();
  node.forget(container);
}

/** A write through a descriptor that is older than the rule, to a file without a path: nobody can say whether it is meant. */
async function failClosed(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('closed', { files: FILES });
  const tree = await container.do('open_tree', '/vol');
  await container.do('chdir', `/proc/self/fd/${tree.ret}`);
  const { ret: descriptor } = await container.do('fd_open', 'bin/tool', 'rw');
  protect(node, container, noWrites, { rootDev: 0n });
  node.events();
  const results: string[] = [];
  for (const closed of [false, true, false]) {
    node.kernel.setFailClosed(closed);
    results.push((await container.do('fd_write', descriptor, 'text')).error || 'done');
  }
  guest.report('fail closed', { results, alerts: node.events().filter(isAlert).length });
  await container.stop();
  node.forget(container);
}

/** Refused whatever it does, as its rules could not be installed. */
async function withoutRules(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('closed-whole', { files: FILES });
  node.watch(container);
  node.events();
  const operations: readonly Operation[] = [
    ['open', '/tmp/mine', 'r'],
    ['unlink', '/data/empty/file'],
    ['exec', '/usr/bin/workload'],
    ['socket', 'inet', 'stream'],
  ];
  const results: string[] = [];
  const tryAll = async (): Promise<void> => {
    for (const operation of operations) results.push((await container.do(...operation)).error || 'done');
  };
  node.kernel.setFailClosed(true);
  node.kernel.setRuleSet(container.cgroup.id, node.kernel.ruleSetForFailed);
  await tryAll();
  node.kernel.setFailClosed(false);
  guest.report('closed as a whole', {
    results,
    alerts: node.events().filter(isAlert).length,
    otherwise: node.kernel.ruleSetForFailed === undefined,
  });
  await container.stop();
  node.forget(container);
}

/** What keeps the programs attached are files. */
async function pins(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('pins', { root: 'host' });
  node.watch(container);
  const [one, other] = readdirSync(PINS, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  if (one === undefined || other === undefined) throw new Error('nothing is pinned');
  const over = await container.do('rename', one, other);
  const away = await container.do('rename', one, `${one}2`);
  const removed = await container.do('unlink', one);
  node.events();
  guest.report('pins', { results: [over.error, away.error, removed.error] });
  await container.stop();
  node.forget(container);
}

/** Anyone can ask for our maps and programs, in a loop, without any rule; for those of others, too, and gets them. */
async function attempts(guest: Guest, node: EnforcingNode): Promise<void> {
  const other = ['type', 'array', 'key', '4', 'value', '4', 'entries', '1', 'name', 'other'];
  await command('bpftool', 'map', 'create', '/sys/fs/bpf/other', ...other);
  const maps = await listed('map');
  const idOf = (objects: readonly Listed[], name: string): number =>
    objects.find((one) => one.name === name)?.id ?? 0;
  const wanted = [
    ['settings', 'map', idOf(maps, 'settings')],
    ['own_links', 'map', idOf(maps, 'own_links')],
    ['at_file_open', 'prog', idOf(await listed('prog'), 'at_file_open')],
    ['other', 'map', idOf(maps, 'other')],
  ] as const;
  const results: object[] = [];
  node.limit({ maxAlertPerSec: 5, throttleSec: 3600 });
  for (const [name, kind, id] of wanted) {
    const container = await startContainer(`tampers-${name}`);
    node.watch(container);
    node.events();
    const { good, failed } = await container.do('hammer', 500, 'bpf_get', kind, id);
    const events = node.events();
    results.push({
      ...{ name, good, failed, events: events.map(({ type }) => type) },
      what: [...new Set(events.flatMap((event) => (event.type === 'tampering' ? [event.args[0]] : [])))],
      by: [...new Set(events.flatMap((event) => (event.type === 'tampering' ? [event.process] : [])))],
    });
    await container.stop();
    node.forget(container);
    node.kernel.sweep();
  }
  node.limit(undefined);
  guest.report('attempts', { results });
}

interface Listed {
  readonly id: number;
  readonly name?: string;
}

async function listed(kind: 'map' | 'prog'): Promise<Listed[]> {
  return JSON.parse(await command('bpftool', '-j', kind, 'show')) as Listed[];
}

/** More cgroups below one container's than there is room for. */
async function manyCgroups(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('many', { files: FILES });
  node.protect(container, noSecret);
  node.events();
  for (let index = 0; index < 300; index++) makeCgroup(`containers/many/${index}`);
  const last = makeCgroup('containers/many/299/below');
  writeFileSync(join(last.path, 'cgroup.procs'), String(container.pid));
  const { error } = await container.do('open', '/etc/secret', 'r');
  const events = node.events().map(({ type }) => type);
  // Others still find room, for themselves and for what they have below.
  const beside = await startContainer('beside', { files: FILES });
  const below = Array.from({ length: 40 }, (_, index) => makeCgroup(`containers/beside/${index}`));
  node.kernel.registerContainer({
    ...{ cgroupId: beside.cgroup.id, pidNs: beside.pidNs, mntNs: beside.mntNs, rootDev: beside.rootDev },
    ...{ ruleSet: node.handleOf(container), profile: 0, privileged: false },
    descendants: () => below.map(({ id }) => id),
  });
  const others: string[] = [];
  for (const cgroup of [beside.cgroup, below[0], below[39]]) {
    writeFileSync(join(cgroup?.path ?? '', 'cgroup.procs'), String(beside.pid));
    others.push((await beside.do('open', '/etc/secret', 'r')).error);
  }
  guest.report('more cgroups than fit', {
    ...{ error, alerts: events.filter((type) => type === 'alert').length, others },
  });
  await beside.stop();
  node.kernel.removeContainer(beside.cgroup.id);
  await container.stop();
  node.forget(container);
}
