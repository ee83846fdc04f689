// Topics, a schema and a log full of alerts for the benchmarks that run on the real broker.

import { randomBytes } from 'node:crypto';

import { AlertCodec } from '@alert-throttle/alert';
import {
  type AlertKafka,
  createKafka,
  createTopics,
  partitionFor,
  type TopicNames,
} from '@alert-throttle/kafka';
import type { StackEnv } from '@alert-throttle/stack';
import type { Message } from 'kafkajs';

import { sampleAlert } from './sample-alert.ts';

export const PARTITIONS = 6;
const SEND = 400;

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function benchKafka(env: StackEnv, clientId: string): AlertKafka {
  return createKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId }, silent);
}

/** New topics, with the schema registered for both that hold alerts. */
export async function benchTopics(env: StackEnv): Promise<{ topics: TopicNames; codec: AlertCodec }> {
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const topics = { raw: `${name}.raw`, throttled: `${name}.throttled`, deadLetter: `${name}.dead-letter` };
  await createTopics(benchKafka(env, 'bench'), topics, { partitions: PARTITIONS, replication: 1 });
  const codec = new AlertCodec({ url: env.SCHEMA_REGISTRY_URL });
  await codec.register(topics.throttled);
  await codec.register(topics.raw);
  return { topics, codec };
}

export interface Flood {
  readonly alerts: number;
  readonly containers: number;
  /** Between two alerts of one container, by their own time; 0 floods. */
  readonly spacingMicros: number;
}

/** Fills the raw topic. Every container's alerts come in turns, one producer, all partitions. */
export async function fillRaw(
  env: StackEnv,
  topics: TopicNames,
  codec: AlertCodec,
  flood: Flood,
): Promise<void> {
  const producer = benchKafka(env, 'bench-fill').producer({ idempotent: true });
  await producer.connect();
  const bootId = randomBytes(8).toString('hex');
  // In the past, so that no alert's time is bounded by its append time.
  const beginMicros = (Date.now() - 3_600_000) * 1000;
  let batch: Message[] = [];
  for (let index = 0; index < flood.alerts; index++) {
    const alert = sampleAlert(index, flood.containers);
    alert.BootID = bootId;
    alert.Sequence = index + 1;
    alert.EventTimeMicros = beginMicros + Math.floor(index / flood.containers) * flood.spacingMicros;
    batch.push({
      key: alert.ContainerID,
      value: codec.encode(alert),
      partition: partitionFor(alert.ContainerID, PARTITIONS),
    });
    if (batch.length < SEND * PARTITIONS && index < flood.alerts - 1) continue;
    await producer.send({
      topic: topics.raw,
      messages: batch,
      acks: -1,
    });
    batch = [];
  }
  await producer.disconnect();
}
