// What does a container cost, in the process and in Redis, where there are a hundred thousand and a million of
// them in one partition; how long is a takeover, a flush; how much slower are decisions than with a thousand?

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { StackEnv } from '@alert-throttle/stack';
import { checkpointKey, throttledKey } from '@alert-throttle/throttle';
import { Redis } from 'ioredis';

import { machine, type Machine } from './machine.ts';
import { median } from './statistics.ts';

const CONTAINERS = [100_000, 1_000_000];
const THROTTLED = 100_000;
/** What the system has given to a process varies from one run to the next. */
const ROUNDS = 3;

export interface ContainersBench {
  readonly machine: Machine;
  /** A row of figures per number of containers; see containers-case.ts. */
  readonly cases: readonly Figures[];
}

type Figures = Readonly<Record<string, number>>;

async function run(...args: string[]): Promise<Figures> {
  const program = join(import.meta.dirname, 'containers-case.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, ...args]);
  return JSON.parse(stdout) as Figures;
}

/** Medians, figure by figure. */
async function measure(redisUrl: string, containers: number): Promise<Figures> {
  const rounds: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measureOnce(redisUrl, containers));
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((one) => one[name] ?? NaN))]));
}

async function measureOnce(redisUrl: string, containers: number): Promise<Figures> {
  const group = `bench-${randomBytes(4).toString('hex')}`;
  try {
    const filled = await run('fill', redisUrl, group, String(containers), String(THROTTLED));
    return { ...filled, ...(await run('claim', redisUrl, group)) };
  } finally {
    const redis = new Redis(redisUrl);
    await redis.unlink(checkpointKey(group, 'bench', 0), throttledKey(group, 'bench', 0));
    redis.disconnect();
  }
}

export async function containersBench(env: StackEnv): Promise<ContainersBench> {
  const cases: Figures[] = [];
  for (const containers of CONTAINERS) {
    process.stderr.write(`containers: ${containers}\n`);
    cases.push(await measure(env.REDIS_URL, containers));
  }
  return { machine: machine(), cases };
}
