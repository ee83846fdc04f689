// What /proc tells of a container's processes: which one began it, whether its own program runs already, what it may do.
import { readFileSync, readlinkSync, statSync } from 'node:fs';

export interface ProcessFacts {
  readonly pid: number;
  /** In ticks since boot: with it the number is one process'. */
  readonly startedAt: number;
  /** How long ago that was. */
  readonly ageMs: number;
  /** Inode numbers of its namespaces. */
  readonly pidNs: number;
  readonly mntNs: number;
  /** Its root is not the host's: the runtime has left the host's file systems behind. */
  readonly ownRoot: boolean;
  /** Its program is a file of its own root: no longer the runtime's. */
  readonly ownProgram: boolean;
  /** It may mount, so that pivot_root and mount are left to it. */
  readonly privileged: boolean;
  /** Of its root file system, as the kernel writes a device number: major << 20 | minor. 0: unknown. */
  readonly rootDev: bigint;
  /** Of its root directory, where that is not the root of its file system; else 0. */
  readonly rootIno: bigint;
}

const CAP_SYS_ADMIN = 21n;

/** USER_HZ, the same on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Undefined where it is gone, or a zombie. */
export function factsOf(pid: number): ProcessFacts | undefined {
  try {
    const folder = `/proc/${pid}`;
    const startedAt = startTime(pid);
    if (startedAt === undefined) return undefined;
    const root = statSync(`${folder}/root/`, { bigint: true });
    const mount = rootMount(readFileSync(`${folder}/mountinfo`, 'utf8'));
    const host = hostRoot();
    return {
      pid,
      startedAt,
      ageMs: uptimeMs() - (startedAt * 1_000) / TICKS_PER_SECOND,
      pidNs: namespaceOf(pid, 'pid'),
      mntNs: namespaceOf(pid, 'mnt'),
      ownRoot: root.dev !== host.dev || root.ino !== host.ino,
      ownProgram: runsOwnProgram(pid),
      privileged: isPrivileged(readFileSync(`${folder}/status`, 'utf8')),
      rootDev: mount.device,
      rootIno: mount.isWhole ? 0n : root.ino,
    };
  } catch {
    return undefined;
  }
}

/** No other process has taken its number since. */
export function isThere({ pid, startedAt }: Pick<ProcessFacts, 'pid' | 'startedAt'>): boolean {
  return startTime(pid) === startedAt;
}

/** Whoever may not look at process 1 is no producer with rights over containers; then the own root stands for the host's. */
function hostRoot(): { readonly dev: bigint; readonly ino: bigint } {
  try {
    return statSync('/proc/1/root/', { bigint: true });
  } catch {
    return statSync('/', { bigint: true });
  }
}

/** The oldest process of a container is the one that began it. */
export function oldest(pids: readonly number[]): number | undefined {
  const started = pids.flatMap((pid) => {
    const at = startTime(pid);
    return at === undefined ? [] : [{ pid, at }];
  });
  started.sort((left, right) => left.at - right.at || left.pid - right.pid);
  return started[0]?.pid;
}

export function namespaceOf(pid: number | 'self', kind: 'mnt' | 'pid'): number {
  return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${kind}`))?.[1] ?? 0);
}

function uptimeMs(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000;
}

/** In ticks since boot; undefined where it is gone. */
function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before it may contain anything, brackets included.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

/** What the link says is looked up in the process' own root: a runtime's program is not found there, or is another file. */
function runsOwnProgram(pid: number): boolean {
  try {
    const program = statSync(`/proc/${pid}/exe`, { bigint: true });
    const path = readlinkSync(`/proc/${pid}/exe`);
    const own = statSync(`/proc/${pid}/root${path}`, { bigint: true });
    return own.ino === program.ino && own.dev === program.dev;
  } catch {
    return false;
  }
}

/** From the text of /proc/<pid>/status. The bounding set: what it cannot have by any means. */
export function isPrivileged(status: string): boolean {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return bounding !== undefined && ((BigInt(`0x${bounding}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

export interface RootMount {
  readonly device: bigint;
  /** It is the root of its file system, and not some folder of it. */
  readonly isWhole: boolean;
}

/** From the text of /proc/<pid>/mountinfo; of several mounts on `/` the last one is seen. */
export function rootMount(mountinfo: string): RootMount {
  const roots = mountinfo
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields[4] === '/');
  const [, , device = '', folder] = roots.at(-1) ?? [];
  const [major, minor] = device.split(':');
  if (major === undefined || minor === undefined) return { device: 0n, isWhole: true };
  return { device: (BigInt(major) << 20n) | BigInt(minor), isWhole: folder === '/' };
}
