// Where kernels, images and compiled programs are kept between runs; `.cache` is ignored by git and by every tool.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '@alert-throttle/stack';

/** The checkout that this file belongs to. */
export const harnessRoot = join(import.meta.dirname, '..', '..', '..');

export const cacheDir = join(harnessRoot, '.cache', 'guest');

export function digest(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

export type Log = (line: string) => void;

export interface CacheEntry {
  /** Entries of one kind are variants of each other; only the latest few are kept. */
  readonly kind: string;
  readonly key: string;
  readonly log: Log;
  /** Fills the given folder. */
  readonly make: (folder: string) => Promise<void>;
}

const KEPT = 3;

/** The folder of this entry, made first where it is missing: whole or not at all, and by one process only. */
export async function cached({ kind, key, log, make }: CacheEntry): Promise<string> {
  const folder = join(cacheDir, `${kind}-${key}`);
  if (!existsSync(folder)) {
    mkdirSync(cacheDir, { recursive: true });
    await withLock(cacheDir, { log }, async () => {
      if (existsSync(folder)) return;
      const partial = `${folder}.partial`;
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial, { recursive: true });
      await make(partial);
      renameSync(partial, folder);
      forgetOld(kind);
    });
  }
  const now = new Date();
  utimesSync(folder, now, now);
  return folder;
}

/** A guest that runs has its files open, so that it keeps them. */
function forgetOld(kind: string): void {
  const folders = readdirSync(cacheDir)
    .filter((name) => name.startsWith(`${kind}-`) && !name.endsWith('.partial'))
    .map((name) => join(cacheDir, name))
    .map((path) => ({ path, usedMs: statSync(path).mtimeMs }))
    .sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of folders.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}
