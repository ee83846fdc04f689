// How many alerts a second go through the throttler on the real broker: all passing, 95 % dropped, and all
// dropped, each beside baselines over the same log in the same run: only consuming, and a bare transactional copy
// (copy.ts). Beside the rates, the processor time of each process, which a busy machine changes less.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { StackEnv } from '@alert-throttle/stack';
import type { TopicNames } from '@alert-throttle/kafka';
import type { Admin } from 'kafkajs';

import { machine, type Machine } from './machine.ts';
import { benchKafka, benchTopics, fillRaw, type Flood, PARTITIONS } from './pipeline-topics.ts';
import { median, rounded } from './statistics.ts';

/** So many that what a young process does slowly does not count, of the baselines neither. */
const ALERTS = 1_000_000;
const ROUNDS = 3;
const POLL_MS = 20;
/** A rate is taken between these shares of the log, so that starting and joining do not count. */
const FROM_SHARE = 0.1;
const GIVE_UP_MS = 180_000;

const LOADS: Readonly<Record<string, Flood>> = {
  // 10 alerts a second at most and never an eleventh within one: everything passes.
  allPass: { alerts: ALERTS, containers: 1000, spacingMicros: 200_000 },
  // 200 alerts of a container within a second of its time: 10 pass, 190 do not.
  dropped95: { alerts: ALERTS, containers: ALERTS / 200, spacingMicros: 1000 },
  // A handful of containers: all but the first few alerts are dropped.
  allDropped: { alerts: ALERTS, containers: 20, spacingMicros: 0 },
};

const BASELINES = ['stock', 'consume', 'fetch', 'copy'] as const;
const PROCESSES = [...BASELINES, 'throttler'] as const;
type Process = (typeof PROCESSES)[number];

/**
 * Medians of the rounds: alerts a second (`stockPerSec` and so on), microseconds of processor time for an alert
 * (`stockCpu`), and the throttler's rate by that of each baseline (`ofStock`).
 */
export type ThroughputCase = Readonly<Record<string, number>> & { readonly alerts: number };

/** Of one process in one round. */
export interface Pace {
  readonly perSec: number;
  /** Microseconds of processor time for an alert, its kernel's part and its garbage collector's included. */
  readonly cpuMicros: number;
}

export interface ThroughputBench {
  readonly machine: Machine;
  readonly cases: Readonly<Record<string, ThroughputCase>>;
}

const SRC = import.meta.dirname;

export function startCopy(mode: string, env: StackEnv, group: string, topics: TopicNames): ChildProcess {
  const args = [join(SRC, 'copy.ts'), mode, env.KAFKA_BROKERS, group, topics.raw, topics.throttled];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

export function startThrottler(env: StackEnv, group: string, topics: TopicNames, port: number): ChildProcess {
  const main = join(SRC, '../../services/throttler/src/main.ts');
  return spawn(process.execPath, [main], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...env,
      PATH: process.env['PATH'],
      CONSUMER_GROUP: group,
      START_FROM: 'earliest',
      HTTP_PORT: String(port),
      LOG_LEVEL: 'error',
      // As the copy: a compressed log is read in so few fetches that there is no progress to measure.
      KAFKA_COMPRESSION: 'none',
      RAW_TOPIC: topics.raw,
      THROTTLED_TOPIC: topics.throttled,
      DEAD_LETTER_TOPIC: topics.deadLetter,
    },
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export async function committedAlerts(admin: Admin, group: string, topic: string): Promise<number> {
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  return offsets
    .flatMap(({ partitions }) => partitions)
    .reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}

/** Where the throttler's fold is, which its commits follow within a second. */
export async function foldedAlerts(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
  if (response === undefined) return 0;
  const { partitions } = (await response.json()) as { partitions: { position: number }[] };
  return partitions.reduce((sum, { position }) => sum + position, 0);
}

const TICK_MICROS = 10_000;

/** Processor time of the process so far, as Linux counts it in ticks; 0 elsewhere. */
function cpuMicros({ pid }: ChildProcess): number {
  try {
    // After the name, which may hold anything: state, and ten numbers before those of user and system.
    const [, , , , , , , , , , , user, system] =
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(user) + Number(system)) * TICK_MICROS;
  } catch {
    return 0;
  }
}

/** From a tenth of the log to its end, as `progress` tells. */
export async function rate(
  child: ChildProcess,
  progress: () => Promise<number>,
  total = ALERTS,
): Promise<Pace> {
  const startedMs = performance.now();
  let from: { alerts: number; atMs: number; cpu: number } | undefined;
  try {
    for (;;) {
      const alerts = await progress();
      const atMs = performance.now();
      if (alerts >= total * FROM_SHARE) from ??= { alerts, atMs, cpu: cpuMicros(child) };
      if (alerts >= total && from !== undefined) {
        const folded = alerts - from.alerts;
        return {
          perSec: (folded * 1000) / Math.max(1, atMs - from.atMs),
          cpuMicros: (cpuMicros(child) - from.cpu) / folded,
        };
      }
      if (atMs - startedMs > GIVE_UP_MS || child.exitCode !== null) {
        throw new Error(`${alerts} of ${total} alerts after ${Math.round(atMs - startedMs)} ms`);
      }
      await sleep(POLL_MS);
    }
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
}

async function measure(env: StackEnv, name: string, flood: Flood): Promise<ThroughputCase> {
  const { topics, codec } = await benchTopics(env);
  await fillRaw(env, topics, codec, flood);
  const admin = benchKafka(env, 'bench-admin').admin();
  await admin.connect();
  const paces: Record<Process, Pace[]> = { stock: [], consume: [], fetch: [], copy: [], throttler: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const group = (what: string): string => `${topics.raw}-${what}-${round}`;
    for (const mode of BASELINES) {
      const child = startCopy(mode, env, group(mode), topics);
      paces[mode].push(await rate(child, () => committedAlerts(admin, group(mode), topics.raw)));
    }
    const port = await freePort();
    const throttler = startThrottler(env, group('throttler'), topics, port);
    paces.throttler.push(await rate(throttler, () => foldedAlerts(port)));
    process.stderr.write(`${name}: round ${round + 1} of ${ROUNDS}\n`);
  }
  await admin.deleteTopics({ topics: [topics.raw, topics.throttled, topics.deadLetter] });
  await admin.disconnect();
  const perSec = (process: Process): number => median(paces[process].map((pace) => pace.perSec));
  const cpu = (process: Process): number => median(paces[process].map((pace) => pace.cpuMicros));
  return {
    alerts: ALERTS,
    ...fields(PROCESSES, (process) => [`${process}PerSec`, Math.round(perSec(process))]),
    ...fields(BASELINES, (process) => [
      `of${capital(process)}`,
      rounded(perSec('throttler') / perSec(process)),
    ]),
    ...fields(PROCESSES, (process) => [`${process}Cpu`, rounded(cpu(process))]),
  };
}

function fields<T>(of: readonly T[], field: (one: T) => [string, number]): Record<string, number> {
  return Object.fromEntries(of.map(field));
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

export async function throughputBench(env: StackEnv): Promise<ThroughputBench> {
  process.stderr.write(`throughput: ${ALERTS} alerts on ${PARTITIONS} partitions\n`);
  const cases: Record<string, ThroughputCase> = {};
  for (const [name, flood] of Object.entries(LOADS)) cases[name] = await measure(env, name, flood);
  return { machine: machine(), cases };
}
