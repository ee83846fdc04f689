// Where everything is pinned, so that enforcement outlives the producer:
//
//   <pinDir>/                         0700, locked by the producer that runs
//     <layout version>/maps/<map>     shared by the sets of programs
//     <layout version>/sets/<generation>-<object>/programs/<program>, links/<program>
//     <layout version>/sets/<generation>-<object>-bridge/maps/<map>    the same, and maps of another size (handover.ts)
//
// A set's folder says which compiled object it is of, as bpffs holds no files of ours. Names have no dots: the kernel
// refuses them there.
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { KernelError } from './errors.ts';

export interface PinnedSet {
  readonly folder: string;
  readonly generation: number;
  /** First 16 digits of the SHA-256 of the object. */
  readonly object: string;
  /** It takes the windows over into maps of another size, which lie in its folder `maps` until then. */
  readonly bridge: boolean;
}

export class Pins {
  readonly pinDir: string;
  readonly version: number;

  constructor(pinDir: string, version: number) {
    this.pinDir = pinDir;
    this.version = version;
  }

  get maps(): string {
    return join(this.pinDir, String(this.version), 'maps');
  }

  get #sets(): string {
    return join(this.pinDir, String(this.version), 'sets');
  }

  create(): void {
    const version = join(this.pinDir, String(this.version));
    makeFolder(this.pinDir);
    checkFolder(this.pinDir);
    for (const folder of [this.maps, this.#sets]) makeFolder(folder);
    for (const folder of [version, this.maps, this.#sets]) checkFolder(folder);
    // A folder of an earlier run may lie on what is read-only now; Node's recursive mkdir would call that ENOENT.
    accessSync(this.#sets, constants.W_OK);
  }

  sets(): PinnedSet[] {
    return namesIn(this.#sets).flatMap((name) => {
      const match = /^([1-9][0-9]*)-([0-9a-f]{16})(-bridge)?$/.exec(name);
      if (!match) return [];
      const [, generation, object = '', bridge] = match;
      const folder = join(this.#sets, name);
      return [{ folder, generation: Number(generation), object, bridge: bridge !== undefined }];
    });
  }

  createSet(generation: number, object: string, bridge = false): PinnedSet {
    const folder = join(this.#sets, `${generation}-${object}${bridge ? '-bridge' : ''}`);
    for (const part of ['programs', 'links', ...(bridge ? ['maps'] : [])]) makeFolder(join(folder, part));
    return { folder, generation, object, bridge };
  }

  /** Folders of other layout versions. */
  others(): string[] {
    return namesIn(this.pinDir)
      .filter((name) => /^[0-9]+$/.test(name) && name !== String(this.version))
      .map((name) => join(this.pinDir, name));
  }
}

export function objectDigest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);
}

/** Sorted; none where there is no such folder. */
export function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/**
 * Unpins everything in a folder. Links first: a program whose link is gone is no longer called, while a program without
 * its pin still is.
 */
export function unpinAll(folder: string): void {
  const entries = existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true }).map((entry) => ({
        path: join(entry.parentPath, entry.name),
        folder: entry.isDirectory(),
        link: entry.parentPath.endsWith('/links'),
      }))
    : undefined;
  if (!entries) return;
  const files = entries.filter((entry) => !entry.folder);
  for (const { path } of [...files.filter(({ link }) => link), ...files.filter(({ link }) => !link)])
    unlinkSync(path);
  const folders = entries.filter((entry) => entry.folder).map(({ path }) => path);
  for (const path of [...folders.sort((a, b) => b.length - a.length), folder]) rmdirSync(path);
}

/**
 * Everything of ours, of all layout versions, and the folder itself where nothing else is in it: what others have pinned
 * there stays, as a setting may name the root of the BPF filesystem.
 */
export function unpinVersions(pinDir: string): void {
  for (const name of namesIn(pinDir)) if (/^[0-9]+$/.test(name)) unpinAll(join(pinDir, name));
  if (existsSync(pinDir) && namesIn(pinDir).length === 0) rmdirSync(pinDir);
}

function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** What is pinned in a folder that others may write to could be theirs. Throws KernelError NO_PERMISSION. */
function checkFolder(folder: string): void {
  const found = lstatSync(folder);
  const owner = process.geteuid?.() ?? 0;
  if (found.isDirectory() && found.uid === owner && (found.mode & 0o077) === 0) return;
  throw new KernelError(
    'NO_PERMISSION',
    `${folder} is not a folder of user ${owner} alone (owner ${found.uid}, mode ${(found.mode & 0o7777).toString(8)})`,
    `Look at who made it, then: chown ${owner} ${folder}; chmod 700 ${folder}.`,
  );
}
