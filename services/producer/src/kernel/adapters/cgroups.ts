// The cgroup hierarchy (version 2): ids, processes and what lies below. A cgroup's id is its folder's inode number.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../errors.ts';

export interface Cgroup {
  readonly id: bigint;
  /** From the root of the hierarchy; `/` is the root itself. */
  readonly path: string;
}

/**
 * It is gone, or so deep that no path reaches it, which must not stop the look at all others. With any other error nobody
 * knows, and what was there must not be taken for gone.
 */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV', 'ENOTDIR', 'ENAMETOOLONG']);

export class Cgroups {
  readonly root: string;

  /** `root`: where the hierarchy is mounted. */
  constructor(root: string) {
    this.root = root;
  }

  folder(path: string): string {
    return join(this.root, path);
  }

  /** Undefined where it is gone. Throws where it cannot be seen. */
  idOf(path: string): bigint | undefined {
    return unlessGone(() => statSync(this.folder(path), { bigint: true }).ino);
  }

  /** The cgroup and all below it, parents first. What vanishes meanwhile is left out; throws where something cannot be seen. */
  *walk(path = '/'): Generator<Cgroup> {
    const pending = [path];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const id = this.idOf(next);
      if (id === undefined) continue;
      yield { id, path: next };
      for (const name of foldersIn(this.folder(next))) pending.push(join(next, name));
    }
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
  const entries = unlessGone(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (GONE.has(codeOf(error))) return undefined;
    throw error;
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
