// Which process is meant: a pid alone is not enough, since the kernel gives it to somebody else later.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from './errors.ts';

/** A process for all time: no other one on this machine has all three. Source: proc(5). */
export interface ProcessId {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks from boot to the start of the process. */
  readonly startTicks: string;
  readonly bootId: string;
}

export function requireLinux(platform: string = process.platform): void {
  if (platform !== 'linux')
    throw new StackError(
      'UNSUPPORTED_SYSTEM',
      `the launcher works on Linux only (this is ${platform}): use infra/compose.yaml with a container engine instead`,
    );
}

/** The process that has this pid now; undefined if there is none, or only a zombie. */
export function identify(pid: number): ProcessId | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  const { state, startTicks } = parseStat(stat);
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, startTicks, bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() };
}

/** The command name, field 2, may hold spaces and brackets; it ends at the last closing one. */
export function parseStat(stat: string): { state: string; startTicks: string } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
}

export function isAlive(id: ProcessId): boolean {
  const now = identify(id.pid);
  return now?.startTicks === id.startTicks && now.bootId === id.bootId;
}

/** Written whole or not at all: a launcher killed in the middle leaves no half of a file. */
export function writePidFile(path: string, id: ProcessId): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(id)}\n`);
  renameSync(`${path}.new`, path);
}

/** The process that a pid file names, if it is still that one. A file that cannot be read counts as none. */
export function readPidFile(path: string): ProcessId | undefined {
  const id = existsSync(path) ? parsePidFile(readFileSync(path, 'utf8')) : undefined;
  return id !== undefined && isAlive(id) ? id : undefined;
}

export function parsePidFile(text: string): ProcessId | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, startTicks, bootId } = value as Partial<Record<keyof ProcessId, unknown>>;
  // Pid 0 and negative ones would name whole process groups.
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 1) return undefined;
  if (typeof startTicks !== 'string' || typeof bootId !== 'string') return undefined;
  return { pid, startTicks, bootId };
}

const POLL_MS = 50;

/** Ends a process that leads its own group, with all that it started: TERM, and KILL after the grace. */
export async function stopGroup(id: ProcessId, graceMs: number): Promise<'stopped' | 'killed'> {
  signalGroup(id, 'SIGTERM');
  if (await gone(id, graceMs)) return 'stopped';
  signalGroup(id, 'SIGKILL');
  if (await gone(id, 5_000)) return 'killed';
  throw new StackError('WILL_NOT_STOP', `process ${id.pid} does not end, not even by SIGKILL`);
}

export function signalGroup(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(-id.pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

async function gone(id: ProcessId, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; isAlive(id); waitedMs += POLL_MS) {
    if (waitedMs >= withinMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Whether this very process listens on the port: an answer on it may come from somebody else's server. */
export function listensOn(id: ProcessId, port: number): boolean {
  const sockets = new Set<string>();
  for (const table of ['tcp', 'tcp6']) {
    const path = `/proc/${id.pid}/net/${table}`;
    if (existsSync(path))
      for (const inode of listeners(readFileSync(path, 'latin1'), port)) sockets.add(`socket:[${inode}]`);
  }
  try {
    const descriptors = `/proc/${id.pid}/fd`;
    return readdirSync(descriptors).some((name) => sockets.has(linkOf(`${descriptors}/${name}`)));
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const LISTEN = '0A';

/** Inodes of the sockets that listen on a port, from the text of /proc/net/tcp or tcp6. */
export function listeners(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN && fields[1]?.endsWith(suffix))
    .map((fields) => fields[9] ?? '');
}
