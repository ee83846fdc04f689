// One folder per run for what the services log and the producer spools.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of earlier runs that are kept. */
const KEPT = 5;

export interface RunFolder {
  readonly path: string;
  readonly spool: string;
  log(name: string): string;
}

/** Makes the folder below the stack's logs, and removes those of runs long ago. */
export function makeRunFolder(stackDir: string, now: Date): RunFolder {
  const parent = join(stackDir, 'logs', 'npm-start');
  const path = join(parent, `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}-${process.pid}`);
  mkdirSync(path, { recursive: true });
  for (const old of readdirSync(parent)
    .sort()
    .slice(0, -KEPT - 1))
    rmSync(join(parent, old), { recursive: true, force: true });
  return { path, spool: join(path, 'spool'), log: (name) => join(path, `${name}.log`) };
}
