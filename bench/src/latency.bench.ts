// How long an alert takes from the moment that it is handed to Kafka until a read_committed consumer of the
// throttled topic has it, at three rates; beside it the same way without a throttler: the raw topic itself.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { AlertCodec } from '@alert-throttle/alert';
import { COMPRESSION_TYPES, partitionFor, type TopicNames } from '@alert-throttle/kafka';
import type { StackEnv } from '@alert-throttle/stack';
import type { Consumer, Message } from 'kafkajs';

import { machine, type Machine } from './machine.ts';
import { benchKafka, benchTopics, PARTITIONS } from './pipeline-topics.ts';
import { sampleAlert } from './sample-alert.ts';
import { percentile, rounded } from './statistics.ts';

/** Alerts a second, and for how many seconds: so long that a hundredth of the alerts is more than a few. */
const LOADS = [
  { perSec: 10, seconds: 65 },
  { perSec: 1000, seconds: 20 },
  { perSec: 5000, seconds: 20 },
];
/** The first seconds warm everything up and do not count. */
const WARMUP_SECONDS = 5;
const SLICE_MS = 10;
/** Each container stays well below the threshold. */
const ALERTS_PER_CONTAINER_PER_SEC = 5;
const SETTLE_MS = 3000;

type Load = (typeof LOADS)[number];

export interface LatencyCase {
  readonly alertsPerSec: number;
  readonly alerts: number;
  /** Milliseconds, from handing the alert to the client. */
  readonly rawP50Ms: number;
  readonly rawP99Ms: number;
  readonly throttledP50Ms: number;
  readonly throttledP99Ms: number;
  readonly p99Ratio: number;
}

export interface LatencyBench {
  readonly machine: Machine;
  readonly cases: readonly LatencyCase[];
}

/** Collects the latencies of what arrives on a topic; only the time that stands in the alert counts. */
async function reader(
  env: StackEnv,
  topic: string,
  codec: AlertCodec,
  latenciesMs: number[],
): Promise<Consumer> {
  const consumer = benchKafka(env, 'bench-reader').consumer({
    groupId: `${topic}-reader`,
    maxWaitTimeInMs: 5,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: PARTITIONS,
    eachBatch: async ({ batch }) => {
      const nowMs = Date.now();
      for (const { value } of batch.messages) {
        if (value === null) continue;
        const alert = codec.reader(value)?.leading(value) ?? (await codec.decode(value));
        latenciesMs.push(nowMs - alert.EventTimeMicros / 1000);
      }
    },
  });
  return consumer;
}

async function produce(
  env: StackEnv,
  topics: TopicNames,
  codec: AlertCodec,
  { perSec, seconds }: Load,
  onCounting: () => void,
): Promise<number> {
  const producer = benchKafka(env, 'bench-producer').producer({ idempotent: true });
  await producer.connect();
  const containers = Math.ceil(perSec / ALERTS_PER_CONTAINER_PER_SEC);
  const startedMs = performance.now();
  let sent = 0;
  let counted = 0;
  let counting = false;
  const sends: Promise<unknown>[] = [];
  while (performance.now() - startedMs < seconds * 1000) {
    const elapsedMs = performance.now() - startedMs;
    if (!counting && elapsedMs >= WARMUP_SECONDS * 1000) {
      counting = true;
      onCounting();
    }
    const messages: Message[] = [];
    for (const due = Math.floor((elapsedMs * perSec) / 1000); sent < due; sent++) {
      const alert = sampleAlert(sent, containers);
      alert.BootID = 'bench';
      alert.Sequence = sent + 1;
      alert.EventTimeMicros = Date.now() * 1000;
      messages.push({
        key: alert.ContainerID,
        value: codec.encode(alert),
        partition: partitionFor(alert.ContainerID, PARTITIONS),
      });
    }
    if (counting) counted += messages.length;
    if (messages.length > 0) {
      sends.push(
        producer.send({ topic: topics.raw, messages, acks: -1, compression: COMPRESSION_TYPES.zstd }),
      );
    }
    await sleep(SLICE_MS);
  }
  await Promise.all(sends);
  await producer.disconnect();
  return counted;
}

async function measure(env: StackEnv, load: Load): Promise<LatencyCase> {
  const { topics, codec } = await benchTopics(env);
  const throttler = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../services/throttler/src/main.ts')],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...env,
        PATH: process.env['PATH'],
        CONSUMER_GROUP: topics.raw,
        HTTP_PORT: '0',
        LOG_LEVEL: 'error',
        RAW_TOPIC: topics.raw,
        THROTTLED_TOPIC: topics.throttled,
        DEAD_LETTER_TOPIC: topics.deadLetter,
      },
    },
  );
  const raw: number[] = [];
  const throttled: number[] = [];
  const readers = [
    await reader(env, topics.raw, codec, raw),
    await reader(env, topics.throttled, codec, throttled),
  ];
  await sleep(SETTLE_MS);
  const alerts = await produce(env, topics, codec, load, () => {
    raw.length = 0;
    throttled.length = 0;
  });
  await sleep(SETTLE_MS);
  throttler.kill('SIGTERM');
  if (throttler.exitCode === null) await once(throttler, 'exit');
  for (const consumer of readers) await consumer.disconnect();
  const admin = benchKafka(env, 'bench-admin').admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topics.raw, topics.throttled, topics.deadLetter] });
  await admin.disconnect();
  for (const latenciesMs of [raw, throttled]) latenciesMs.sort((a, b) => a - b);
  const rawP99Ms = percentile(raw, 0.99);
  const throttledP99Ms = percentile(throttled, 0.99);
  return {
    alertsPerSec: load.perSec,
    alerts,
    rawP50Ms: rounded(percentile(raw, 0.5), 1),
    rawP99Ms: rounded(rawP99Ms, 1),
    throttledP50Ms: rounded(percentile(throttled, 0.5), 1),
    throttledP99Ms: rounded(throttledP99Ms, 1),
    p99Ratio: rounded(throttledP99Ms / Math.max(1, rawP99Ms)),
  };
}

export async function latencyBench(env: StackEnv): Promise<LatencyBench> {
  const cases: LatencyCase[] = [];
  for (const load of LOADS) cases.push(await measure(env, load));
  return { machine: machine(), cases };
}
