// The cgroup hierarchy (version 2): ids, processes and what lies below. A cgroup's id is its folder's inode number.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Cgroup {
  readonly id: bigint;
  /** From the root of the hierarchy; `/` is the root itself. */
  readonly path: string;
}

/** Deeper ones are not looked at; the kernel allows nearly any depth. */
const MAX_DEPTH = 64;

export class Cgroups {
  readonly root: string;

  /** `root`: where the hierarchy is mounted. */
  constructor(root: string) {
    this.root = root;
  }

  folder(path: string): string {
    return join(this.root, path);
  }

  /** Undefined where it is gone. */
  idOf(path: string): bigint | undefined {
    try {
      return statSync(this.folder(path), { bigint: true }).ino;
    } catch {
      return undefined;
    }
  }

  /** The cgroup and all below it, parents first. What vanishes meanwhile is left out. */
  *walk(path = '/', depth = 0): Generator<Cgroup> {
    const id = this.idOf(path);
    if (id === undefined) return;
    yield { id, path };
    if (depth === MAX_DEPTH) return;
    for (const name of foldersIn(this.folder(path))) yield* this.walk(join(path, name), depth + 1);
  }

  descendants(path: string): bigint[] {
    return [...this.walk(path)].slice(1).map(({ id }) => id);
  }

  /** Of the cgroup and all below it. Zombies and processes of other pid namespaces (0) are left out. */
  processes(path: string): number[] {
    const pids: number[] = [];
    for (const cgroup of this.walk(path))
      pids.push(...pidsIn(join(this.folder(cgroup.path), 'cgroup.procs')));
    return pids;
  }
}

/** Where cgroup version 2 is mounted, from the text of /proc/self/mountinfo; undefined where it is not. */
export function cgroup2Mount(mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [fields = '', rest = ''] = line.split(' - ');
    // The whole hierarchy, not a part of it that was mounted for a container.
    if (rest.startsWith('cgroup2 ') && fields.split(' ')[3] === '/')
      return unescaped(fields.split(' ')[4] ?? '');
  }
  return undefined;
}

/** Spaces and the like are written as octal numbers. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function pidsIn(file: string): number[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  } catch {
    return [];
  }
}
