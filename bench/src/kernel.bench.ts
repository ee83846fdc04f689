// What does the kernel side add to a system call? Instructions of the whole call with the programs loaded, less those of
// the same call in the same boot before they were, in a guest that counts instructions instead of time.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { runGuestOrThrow, type KernelName } from '@alert-throttle/guest';
import type { Arguments, Row } from './kernel-scenario.ts';
import type { Throughput } from './kernel-throughput-scenario.ts';
import { machine, type Machine } from './machine.ts';

const run = promisify(execFile);

const FLAGS = ['-std=gnu11', '-O2', '-static', '-Wall', '-Wextra', '-Werror'];
const STAMP_FLAGS = ['-nostdlib', '-nostartfiles', '-fno-stack-protector'];

/** Counted instructions take their time; the host may have other work. */
const TIMEOUT_MS = 3_600_000;

export interface KernelBenchOptions {
  readonly kernel: KernelName;
  readonly calls: number;
  readonly rules: readonly number[];
  readonly containers: number;
  /** Numbers of CPUs to refuse opens on at once; here time passes, and a busy host shows. */
  readonly cpus: readonly number[];
  readonly log: (line: string) => void;
}

export const DEFAULTS: Omit<KernelBenchOptions, 'log'> = {
  kernel: '6.1',
  calls: 301,
  rules: [1, 200, 500],
  containers: 5000,
  cpus: [1, 2, 4],
};

export interface CostRow extends Row {
  /** Of the same call before anything was loaded. */
  readonly unloaded: number;
  /** The median, less that. */
  readonly added: number;
  readonly addedMean: number;
}

export interface KernelBench {
  readonly machine: Machine;
  readonly kernel: KernelName;
  readonly unit: 'instructions';
  readonly rows: readonly CostRow[];
  readonly throughput: readonly Throughput[];
}

export async function kernelBench(options: KernelBenchOptions): Promise<KernelBench> {
  const { kernel, calls, rules, containers, log } = options;
  const programs = mkdtempSync(join(tmpdir(), 'kernel-bench-'));
  try {
    await compile('meter', programs, []);
    await compile('stamp', programs, STAMP_FLAGS);
    const args: Arguments = { calls, rules, containers, programs: join('/w', basename(programs)) };
    const { lines } = await runGuestOrThrow({
      kernel,
      icount: true,
      copy: [programs],
      scenarios: [{ module: join(import.meta.dirname, 'kernel-scenario.ts'), args }],
      timeoutMs: TIMEOUT_MS,
      log,
    });
    const rows = lines.filter(({ name }) => name === 'row').map(({ data }) => data as unknown as Row);
    const throughput: Throughput[] = [];
    for (const cpus of options.cpus) throughput.push(await throughputOn(cpus, options));
    return { machine: machine(), kernel, unit: 'instructions', rows: withBaselines(rows), throughput };
  } finally {
    rmSync(programs, { recursive: true, force: true });
  }
}

const THROUGHPUT_CALLS = 20_000;

async function throughputOn(cpus: number, { kernel, log }: KernelBenchOptions): Promise<Throughput> {
  const module = join(import.meta.dirname, 'kernel-throughput-scenario.ts');
  const { lines } = await runGuestOrThrow({
    ...{ kernel, cpus, log },
    scenarios: [{ module, args: { calls: THROUGHPUT_CALLS } }],
    timeoutMs: TIMEOUT_MS,
  });
  const line = lines.find(({ name }) => name === 'throughput');
  if (line === undefined) throw new Error('the guest reported no throughput');
  return line.data as unknown as Throughput;
}

async function compile(name: string, folder: string, flags: readonly string[]): Promise<void> {
  const source = join(import.meta.dirname, `kernel-${name}.c`);
  await run('gcc', [...FLAGS, ...flags, '-o', join(folder, name), source]);
}

function withBaselines(rows: readonly Row[]): CostRow[] {
  const key = ({ where, call, path }: Row): string => `${where} ${call} ${path}`;
  const unloaded = new Map(rows.filter(({ shape }) => shape === 'none').map((row) => [key(row), row]));
  return rows
    .filter(({ shape }) => shape !== 'none')
    .map((row) => {
      const before = unloaded.get(key(row));
      if (before === undefined) throw new Error(`nothing to compare ${key(row)} with`);
      return {
        ...row,
        unloaded: before.median,
        added: row.median - before.median,
        addedMean: row.mean - before.mean,
      };
    });
}
