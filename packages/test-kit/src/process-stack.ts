// A stack of plain processes for one test run: own folder, own ports, gone with its data when the run ends.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identify, killStack, readPidFile, stackDown, stackUp, writePidFile } from '@alert-throttle/stack';
import { checkout } from './checkout.ts';
import type { ProvidedStack } from './providers.ts';

/** One folder per run or server in it, named after the pid, beside a file that says which process that is. */
export const RUNS = join(checkout, '.stack-test');

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const INTERRUPTED = 130;

export async function processStack(log: (line: string) => void = print): Promise<ProvidedStack> {
  await sweep();
  const dir = join(RUNS, String(process.pid));
  const owner = `${dir}.owner`;
  const self = identify(process.pid);
  if (self) writePidFile(owner, self);
  const interruption = new AbortController();
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    for (const name of SIGNALS) process.off(name, interrupt);
    await stackDown({ dir, wipe: true });
    rmSync(owner, { force: true });
  };
  // Vitest may leave without a teardown: then the servers end with it, and their data go with the next run.
  const kill = (): void => killStack({ dir });
  const interrupt = (name: NodeJS.Signals): void => {
    interruption.abort(new Error(`interrupted by ${name}`));
    void stop().finally(() => process.exit(INTERRUPTED));
  };
  process.once('exit', kill);
  for (const name of SIGNALS) process.on(name, interrupt);
  try {
    const { env } = await stackUp({
      dir,
      log,
      topics: false,
      usualPorts: false,
      signal: interruption.signal,
    });
    return { env, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Ends and deletes what runs left behind that were killed. */
async function sweep(): Promise<void> {
  mkdirSync(RUNS, { recursive: true });
  for (const name of readdirSync(RUNS).filter((entry) => entry.endsWith('.owner'))) {
    const owner = join(RUNS, name);
    const dir = owner.slice(0, -'.owner'.length);
    if (readPidFile(owner) !== undefined) continue;
    if (existsSync(dir)) await stackDown({ dir, wipe: true });
    rmSync(owner, { force: true });
  }
}

function print(line: string): void {
  process.stdout.write(`[stack] ${line}\n`);
}
