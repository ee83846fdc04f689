// Containers without a runtime: a cgroup, namespaces, a root of its own, and in it a workload that does what it is told.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { makeCgroup, removeCgroup, type Cgroup } from './cgroup.ts';
import { makeRoot, type RootOptions } from './root-fs.ts';
import { Workload, type Operation, type Reply } from './workload.ts';

const LAUNCH = '/w/.guest/bin/launch';

export interface ContainerOptions {
  /** `host` is the guest's own root, in a mount namespace of its own; or a folder that is a root already. */
  readonly root?: RootOptions['kind'] | 'host' | { readonly folder: string };
  /** A workload at another path of the root. */
  readonly program?: string;
  readonly files?: RootOptions['files'];
  /** Mounts, process ids and host name by default. */
  readonly namespaces?: readonly ('mnt' | 'pid' | 'net' | 'ipc' | 'uts' | 'cgroup')[];
  readonly uid?: number;
  /** A loaded AppArmor profile, under which its programs run. */
  readonly apparmorProfile?: string;
  /** What it runs before it is known to anybody, once its cgroup and its first process exist. */
  readonly beforeStart?: (container: Container) => Promise<void> | void;
}

const NAMESPACES: NonNullable<ContainerOptions['namespaces']> = ['mnt', 'pid', 'uts'];

export interface Container {
  readonly name: string;
  readonly cgroup: Cgroup;
  /** Its first process, as the guest's root sees it. */
  readonly pid: number;
  readonly pidNs: number;
  readonly mntNs: number;
  /** Device of its root, as the kernel writes it. */
  readonly rootDev: bigint;
  /** Number of its root folder, where that is not the root of the file system; else 0. */
  readonly rootIno: bigint;
  /** Where its root is for the guest; undefined where it is the guest's own. */
  readonly root: string | undefined;
  /** One operation of its first process. */
  do(...operation: Operation): Promise<Reply>;
  child(...operations: readonly Operation[]): Promise<readonly Reply[]>;
  /** Another process in it, that came by setns, as with `exec` into a container. */
  enter(options?: { readonly uid?: number; readonly program?: string }): Promise<Workload>;
  /** Ends its processes and removes its cgroup. */
  stop(): Promise<void>;
}

export async function startContainer(name: string, options: ContainerOptions = {}): Promise<Container> {
  const { root: kind = 'tmpfs', files = {}, namespaces = NAMESPACES, uid = 0, beforeStart } = options;
  const { apparmorProfile } = options;
  const root = await rootOf(name, kind, files);
  const program = options.program ?? programIn(root);
  const cgroup = makeCgroup(`containers/${name}`);
  const child = spawn(
    LAUNCH,
    [
      ...['--cgroup', cgroup.path, '--new', namespaces.join(','), '--wait'],
      ...(root === undefined ? [] : ['--root', root]),
      ...(uid === 0 ? [] : ['--uid', String(uid)]),
      ...confined(apparmorProfile),
      ...['--', program],
    ],
    { stdio: 'pipe' },
  );
  const workload = new Workload(child);
  await workload.next();
  const pid = firstProcess(cgroup);
  const container = containerOf({ name, cgroup, pid, root, workload, apparmorProfile });
  await beforeStart?.(container);
  workload.go();
  await workload.next();
  return container;
}

async function rootOf(
  name: string,
  root: NonNullable<ContainerOptions['root']>,
  files: NonNullable<RootOptions['files']>,
): Promise<string | undefined> {
  if (typeof root === 'object') return root.folder;
  return root === 'host' ? undefined : await makeRoot(name, { kind: root, files });
}

function confined(profile: string | undefined): string[] {
  return profile === undefined ? [] : ['--apparmor', profile];
}

function programIn(root: string | undefined): string {
  return root === undefined ? '/w/.guest/bin/workload' : '/usr/bin/workload';
}

interface Parts {
  readonly name: string;
  readonly cgroup: Cgroup;
  readonly pid: number;
  readonly root: string | undefined;
  readonly workload: Workload;
  /** What enters it later is put under it, too. */
  readonly apparmorProfile?: string | undefined;
}

/** Also for containers that a runtime started. */
export function containerOf({ name, cgroup, pid, root, workload, apparmorProfile }: Parts): Container {
  return {
    ...{ name, cgroup, pid, root },
    pidNs: namespaceOf(pid, 'pid'),
    mntNs: namespaceOf(pid, 'mnt'),
    ...rootFacts(pid),
    do: (...operation) => workload.do(...operation),
    child: (...operations) => workload.child(...operations),
    async enter({ uid = 0, program = programIn(root) } = {}) {
      const who = uid === 0 ? [] : ['--uid', String(uid)];
      const how = [...who, ...confined(apparmorProfile)];
      const args = ['--cgroup', cgroup.path, '--join', String(pid), ...how, '--', program];
      const other = new Workload(spawn(LAUNCH, args, { stdio: 'pipe' }));
      await other.next();
      return other;
    },
    async stop() {
      await removeCgroup(cgroup);
      await ended(workload.process);
    },
  };
}

function namespaceOf(pid: number, kind: 'pid' | 'mnt'): number {
  return statSync(`/proc/${pid}/ns/${kind}`).ino;
}

function rootFacts(pid: number): Pick<Container, 'rootDev' | 'rootIno'> {
  const { dev, ino } = statSync(`/proc/${pid}/root/`, { bigint: true });
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n');
  // Of several mounts on one place the last is on top. Field 4 is what of the file system is mounted, field 5 where.
  const top = mounts.map((line) => line.split(' ')).findLast((fields) => fields[4] === '/');
  return { rootDev: kernelDevice(dev), rootIno: top?.[3] === '/' ? 0n : ino };
}

/** Numbers of devices that programs see have their bits elsewhere than those in the kernel. */
export function kernelDevice(dev: bigint): bigint {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return (major << 20n) | minor;
}

function firstProcess({ path }: Cgroup): number {
  return Number(readFileSync(`${path}/cgroup.procs`, 'utf8').split('\n')[0]);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}
