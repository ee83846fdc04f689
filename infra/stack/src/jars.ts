// The JVM programs, resolved by Maven once for all checkouts of this machine; later starts need no network.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { StackError } from './errors.ts';
import { withLock } from './lock.ts';
import { run, tail } from './run.ts';

export const POM = join(import.meta.dirname, '..', 'pom.xml');

/** What the POM has its two executions make in one folder. */
export interface Jars {
  readonly kafka: string;
  readonly registry: string;
}

/** One folder per content of the POM: another version never mixes with what is there, or is in use. */
export function jarsFolder(pom: string, env: NodeJS.ProcessEnv = process.env): string {
  const cache =
    env['ALERT_THROTTLE_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'alert-throttle');
  return join(cache, `jars-${createHash('sha256').update(pom).digest('hex').slice(0, 12)}`);
}

export function jarsIn(folder: string): Jars {
  return { kafka: join(folder, 'kafka'), registry: join(folder, 'registry') };
}

export interface ResolveOptions {
  readonly maven: string;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const PROGRESS_MS = 5_000;

/** The folder appears under its name only when it is complete. */
export async function resolveJars(folder: string, options: ResolveOptions): Promise<void> {
  const { log, signal } = options;
  const partial = `${folder}.partial`;
  await withLock(dirname(folder), { log, signal }, async () => {
    if (existsSync(folder)) return;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    log(
      `Resolving Apache Kafka and the schema registry with Maven into ${folder} (about 150 MB, this once) ...`,
    );
    await runMaven(partial, options);
    renameSync(partial, folder);
    log('Resolved.');
  });
}

async function runMaven(into: string, { maven, log, signal }: ResolveOptions): Promise<void> {
  const startedAtMs = Date.now();
  let files = 0;
  const progress = setInterval(() => {
    log(`  ${files} files downloaded after ${Math.round((Date.now() - startedAtMs) / 1000)} s`);
  }, PROGRESS_MS);
  try {
    const { code, output } = await run(maven, ['-B', '-f', POM, 'generate-resources', `-Dinto=${into}`], {
      signal,
      onLine: (line) => {
        if (line.includes('Downloaded from')) files++;
      },
    });
    if (code !== 0)
      throw new StackError('JARS_FAILED', `Maven could not resolve ${POM}:\n${tail(errorLines(output), 15)}`);
  } finally {
    clearInterval(progress);
  }
}

function errorLines(output: string): string {
  const errors = output.split('\n').filter((line) => line.startsWith('[ERROR]'));
  return errors.length > 0 ? errors.join('\n') : output;
}

export function readPom(): string {
  return readFileSync(POM, 'utf8');
}
