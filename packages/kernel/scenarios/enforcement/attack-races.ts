// Attacks that live on time and on others: renames and new rule sets while all CPUs open a file, our maps and programs, the
// producer's process, and the neighbour in a pod.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  command,
  startContainer,
  type Container,
  type Guest,
  type Operation,
} from '@alert-throttle/guest/inside';
import type { RuleSetHandle } from '@alert-throttle/kernel';
import { EnforcingNode, ruleSetOf } from './node.ts';

const PINS = '/sys/fs/bpf/alert-throttle';
const SECRET = 'the-secret';
const PROCESSES = 4;

const rules = (message: string) =>
  ruleSetOf([
    {
      file: {
        matchPaths: [{ path: '/etc/secret' }],
        matchDirectories: [{ dir: '/srv/vault/', recursive: true }],
      },
      action: 'Block',
      message,
    },
  ]);

export default async function attackRaces(guest: Guest): Promise<void> {
  const node = new EnforcingNode();
  // Alerts are of no account here, and their throttle sees as many CPUs.
  node.limit({ maxAlertPerSec: 1, throttleSec: 3600 });
  node.kernel.activate();
  await renames(guest, node);
  await replacedRules(guest, node);
  await ourObjects(guest, node);
  await producer(guest, node);
  await samePod(guest, node);
  node.detach();
}

/** Nothing that is renamed, beside the path or on the way to it, opens what is protected. */
async function renames(guest: Guest, node: EnforcingNode): Promise<void> {
  const files = {
    '/etc/secret': SECRET,
    '/etc/mine': 'm',
    '/srv/vault/a/key': SECRET,
    '/opt/public': 'p',
    '/tmp/walk/public': 'p',
  };
  const container = await startContainer('renames', { files });
  await container.do('symlink', '/etc', '/tmp/link');
  node.protect(container, rules('first'));
  const others = await Promise.all(Array.from({ length: 3 }, () => container.enter()));
  const flips: readonly Operation[] = [
    ['parallel', 1, 100_000, 'flip', '/etc/mine', '/etc/yours'],
    ['parallel', 1, 100_000, 'flip', '/tmp/link', '/tmp/chain'],
    ['parallel', 1, 100_000, 'flip', '/tmp/walk', '/tmp/run'],
  ];
  // They go on until they are killed.
  for (const [i, other] of others.entries()) void other.do(...(flips[i] ?? ['ids'])).catch(() => undefined);
  const results: Record<string, unknown> = {};
  for (const path of [
    '/etc/secret',
    '/srv/vault/a/key',
    '/tmp/link/secret',
    '/opt/public',
    '/tmp/walk/public',
  ]) {
    const { good, failed } = await container.do('parallel', PROCESSES, 1500, 'peek', path);
    results[path] = { good, reasons: Object.keys(failed ?? {}).toSorted() };
  }
  guest.report('renames', { results, retried: node.kernel.counters().walkRetried > 0n });
  for (const other of others) other.process.kill('SIGKILL');
  await container.stop();
  node.forget(container);
}

const REPLACED = 12;

/** One rule set after the other, each of which refuses: at no moment none does. */
async function replacedRules(guest: Guest, node: EnforcingNode): Promise<void> {
  const container = await startContainer('replaced', { files: { '/etc/secret': SECRET } });
  node.protect(container, rules('0'));
  const seen = { good: 0, replaced: 0, floods: 0, reasons: new Set<string>() };
  const flood = async (): Promise<void> => {
    while (seen.replaced < REPLACED) {
      const { good = 0, failed = {} } = await container.do(
        'parallel',
        PROCESSES,
        2000,
        'peek',
        '/etc/secret',
      );
      seen.good += good;
      seen.floods++;
      for (const reason of Object.keys(failed)) seen.reasons.add(reason);
    }
  };
  const replace = async (): Promise<void> => {
    let old: RuleSetHandle | undefined = node.handleOf(container);
    while (seen.replaced < REPLACED) {
      node.protect(container, rules(String(seen.replaced + 1)));
      if (old) node.kernel.removeRuleSet(old);
      old = node.handleOf(container);
      node.kernel.sweep();
      node.events();
      seen.replaced++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([flood(), replace()]);
  guest.report('replaced rules', { good: seen.good, reasons: [...seen.reasons], enough: seen.floods > 0 });
  await container.stop();
  node.forget(container);
}

/** By number and by name; a container that sees the host's files has the pins before it, too. */
async function ourObjects(guest: Guest, node: EnforcingNode): Promise<void> {
  const list = async (what: string): Promise<{ id: number; name?: string; prog_id?: number }[]> =>
    JSON.parse(await command('bpftool', '-j', what, 'show')) as {
      id: number;
      name?: string;
      prog_id?: number;
    }[];
  const programs = (await list('prog')).filter(({ name }) => name?.startsWith('at_') === true);
  const own = new Set(programs.map(({ id }) => id));
  const links = (await list('link')).filter(({ prog_id }) => own.has(prog_id ?? 0));
  const maps = (await list('map')).filter(({ name }) =>
    ['rules', 'settings', 'containers'].includes(name ?? ''),
  );
  const container = await startContainer('objects', { root: 'host' });
  node.watch(container);
  const pinned = readdirSync(PINS, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const tries: Record<string, string[]> = {};
  for (const uid of [0, 1000]) {
    const process = await container.enter({ uid });
    const outcome = async (...operation: Operation): Promise<string> =>
      (await process.do(...operation)).error;
    const pins = (kind: string): Promise<string[]> =>
      Promise.all(
        pinned
          .filter(({ parentPath }) => parentPath.endsWith(`/${kind}`))
          .map(({ parentPath, name }) => outcome('bpf_pin_get', join(parentPath, name))),
      );
    const errors = {
      map: await Promise.all(maps.map(({ id }) => outcome('bpf_get', 'map', id))),
      program: await Promise.all(programs.map(({ id }) => outcome('bpf_get', 'prog', id))),
      link: await Promise.all(links.map(({ id }) => outcome('bpf_get', 'link', id))),
      'pin of a map': await pins('maps'),
      'pin of a program': await pins('programs'),
      'pin of a link': await pins('links'),
    };
    for (const [what, all] of Object.entries(errors))
      tries[`${what}, uid ${uid}`] = [...new Set(all)].toSorted();
    process.process.kill('SIGKILL');
  }
  const counts = [maps.length >= 3, programs.length > 30, links.length > 30, pinned.length > 60];
  guest.report('our objects', { tries, counts });
  await container.stop();
  node.forget(container);
}

/** The process that holds the maps is this one here. */
async function producer(guest: Guest, node: EnforcingNode): Promise<void> {
  const results: Record<string, string[]> = {};
  for (const [what, namespaces] of [
    ['own pids', ['mnt', 'pid']],
    ['pids of the host', ['mnt']],
  ] as const) {
    const container = await startContainer(what.replaceAll(' ', '-'), { namespaces });
    node.protect(container, rules('producer'));
    for (const uid of [0, 1000]) {
      const process = await container.enter({ uid });
      results[`${what}, uid ${uid}`] = await triedOnProducer(process);
      process.process.kill('SIGKILL');
    }
    await container.stop();
    node.forget(container);
  }
  guest.report('producer', { results });
}

async function triedOnProducer(process: Pick<Container, 'do'>): Promise<string[]> {
  const pid = globalThis.process.pid;
  const results: string[] = [];
  const operations: readonly Operation[] = [
    ['ptrace', pid],
    ['vm_read', pid],
    ['fd_steal', pid, 0],
    ['kill', pid, 0],
  ];
  for (const operation of operations) {
    const { ret, error } = await process.do(...operation);
    results.push(ret < 0 ? error : 'done');
  }
  return results;
}

/** Containers of a pod may see each other's processes, and through them each other's files. */
async function samePod(guest: Guest, node: EnforcingNode): Promise<void> {
  const files = { '/etc/secret': SECRET };
  const [one, other] = [
    await startContainer('one', { files, namespaces: ['mnt'] }),
    await startContainer('other', { namespaces: ['mnt'] }),
  ];
  node.protect(one, rules('pod'));
  const read = async (): Promise<string> => {
    const { error, data } = await other.do('read', `/proc/${one.pid}/root/etc/secret`);
    return data ?? error;
  };
  node.watch(other);
  const without = await read();
  node.protect(other, rules('pod'));
  guest.report('same pod', {
    without,
    withRule: await read(),
    itself: (await one.do('read', '/etc/secret')).error,
  });
  for (const container of [one, other]) {
    await container.stop();
    node.forget(container);
  }
}
