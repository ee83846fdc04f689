// What does compression save, and what does it cost? Every codec over the same alerts of many workloads: bytes and time
// for batches of several sizes in memory, then a topic written and read on the real broker. The baseline is no
// compression; the codecs take turns, and the figures are medians.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { AlertWriter } from '@alert-throttle/alert';
import {
  COMPRESSION_TYPES,
  type Compression,
  partitionFor,
  registerCompression,
} from '@alert-throttle/kafka';
import type { StackEnv } from '@alert-throttle/stack';
import kafkajs, { type Message, type Producer } from 'kafkajs';

import { machine, type Machine } from './machine.ts';
import { benchKafka, benchTopics, PARTITIONS } from './pipeline-topics.ts';
import { median, percentile, rounded } from './statistics.ts';
import { variedAlert } from './varied-alert.ts';

const CODECS = ['none', 'gzip', 'lz4', 'zstd'] as const satisfies readonly Compression[];
const CONTAINERS = 300;
const ALERTS = 60_000;
const SEND = 400 * PARTITIONS;
const ROUNDS = 3;

const BATCH_SIZES = [10, 100, 1000];
const MEMORY_ALERTS = 4000;
const MEMORY_ROUNDS = 7;

const SINGLES = 300;

export interface CompressionCase {
  /** Bytes before by bytes after; of batches of 10, 100 and 1000 alerts. */
  readonly ratio10?: number;
  readonly ratio100?: number;
  readonly ratio1000?: number;
  /** Nanoseconds of processor time per alert, with the way to a thread and back. */
  readonly packNs10?: number;
  readonly packNs100?: number;
  readonly packNs1000?: number;
  readonly unpackNs10?: number;
  readonly unpackNs100?: number;
  readonly unpackNs1000?: number;
  /** On the broker's disk. */
  readonly logBytes: number | undefined;
  readonly producePerSec: number;
  readonly consumePerSec: number;
  /** Microseconds of this client's processor time per alert. */
  readonly produceCpuUs: number;
  readonly consumeCpuUs: number;
  /** Milliseconds for one alert by itself, until it is acknowledged. */
  readonly singleP50Ms: number;
  readonly singleP99Ms: number;
}

export interface CompressionBench {
  readonly machine: Machine;
  readonly valueBytes: number;
  readonly cases: Readonly<Record<string, CompressionCase>>;
}

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(data: Buffer): Promise<Buffer>;
}

/** As kafkajs uses it. `none` is the bytes themselves. */
function codecOf(name: Compression): Codec {
  const type = COMPRESSION_TYPES[name];
  if (type === kafkajs.CompressionTypes.None)
    return { compress: ({ buffer }) => Promise.resolve(buffer), decompress: (data) => Promise.resolve(data) };
  return (kafkajs.CompressionCodecs as unknown as Record<number, () => Codec>)[type]?.() ?? codecOf('none');
}

/** About what the records of a batch are before they are compressed: lengths, key, value. */
function recordBytes({ key, value }: Message): Buffer {
  return Buffer.concat([Buffer.alloc(8), Buffer.from(key ?? ''), Buffer.from(value ?? '')]);
}

function batches(messages: readonly Message[], size: number): Buffer[] {
  const records = messages.slice(0, MEMORY_ALERTS).map(recordBytes);
  return Array.from({ length: Math.floor(records.length / size) }, (_, at) =>
    Buffer.concat(records.slice(at * size, (at + 1) * size)),
  );
}

/** Of all threads of the process, so that others on the machine do not count. */
async function nsPerAlert(alerts: number, work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / alerts;
}

type Figures = Map<string, number[]>;

function note(figures: Figures, name: string, value: number): void {
  figures.set(name, [...(figures.get(name) ?? []), value]);
}

async function inMemory(
  messages: readonly Message[],
  figures: ReadonlyMap<Compression, Figures>,
): Promise<void> {
  for (const size of BATCH_SIZES) {
    const plain = batches(messages, size);
    const alerts = plain.length * size;
    for (let round = 0; round < MEMORY_ROUNDS; round++) {
      for (const [name, found] of figures) {
        const codec = codecOf(name);
        const packed: Buffer[] = [];
        const packNs = await nsPerAlert(alerts, async () => {
          for (const buffer of plain) packed.push(await codec.compress({ buffer }));
        });
        const unpackNs = await nsPerAlert(alerts, async () => {
          for (const data of packed) await codec.decompress(data);
        });
        const bytes = (all: readonly Buffer[]): number => all.reduce((sum, { length }) => sum + length, 0);
        note(found, `ratio${size}`, bytes(plain) / bytes(packed));
        // The first rounds are the compiler's.
        if (round < 2) continue;
        note(found, `packNs${size}`, packNs);
        note(found, `unpackNs${size}`, unpackNs);
      }
    }
  }
}

interface Timed {
  readonly perSec: number;
  readonly cpuUs: number;
}

async function timed(alerts: number, work: () => Promise<void>): Promise<Timed> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { perSec: (alerts * 1000) / (performance.now() - startMs), cpuUs: (user + system) / alerts };
}

async function produceAll(
  producer: Producer,
  topic: string,
  messages: Message[],
  name: Compression,
): Promise<void> {
  const compression = COMPRESSION_TYPES[name];
  for (let at = 0; at < messages.length; at += SEND)
    await producer.send({ topic, messages: messages.slice(at, at + SEND), acks: -1, compression });
}

/** From the moment when the group has given it the partitions to the last batch. */
async function consumeAll(env: StackEnv, topic: string, alerts: number): Promise<Timed> {
  const consumer = benchKafka(env, 'bench-compression').consumer({
    groupId: `${topic}-group`,
    maxWaitTimeInMs: 100,
    maxBytesPerPartition: 4 * 1024 * 1024,
  });
  const joined = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<undefined>();
  consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve(undefined));
  let seen = 0;
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const running = consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      seen += batch.messages.length;
      if (seen >= alerts) ended.resolve(undefined);
      return Promise.resolve();
    },
  });
  await joined.promise;
  const result = await timed(alerts, () => ended.promise);
  await running;
  await consumer.disconnect();
  return result;
}

async function single(
  producer: Producer,
  topic: string,
  messages: readonly Message[],
  name: Compression,
): Promise<number[]> {
  const compression = COMPRESSION_TYPES[name];
  const times: number[] = [];
  for (const message of messages.slice(0, SINGLES)) {
    const startMs = performance.now();
    await producer.send({ topic, messages: [message], acks: -1, compression });
    times.push(performance.now() - startMs);
  }
  return times.sort((a, b) => a - b);
}

/** Of the topic's segments, where the broker's disk is ours to look at. */
function logBytes(dataDir: string | undefined, topic: string): number | undefined {
  if (dataDir === undefined) return undefined;
  const folders = readdirSync(dataDir).filter((name) => name.startsWith(`${topic}-`));
  const files = folders.flatMap((name) =>
    readdirSync(join(dataDir, name)).map((file) => join(dataDir, name, file)),
  );
  return files.filter((file) => file.endsWith('.log')).reduce((sum, file) => sum + statSync(file).size, 0);
}

async function onBroker(
  env: StackEnv,
  dataDir: string | undefined,
  messages: Message[],
  figures: ReadonlyMap<Compression, Figures>,
): Promise<void> {
  const producer = benchKafka(env, 'bench-compression').producer({ idempotent: true });
  await producer.connect();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, found] of figures) {
      const { topics } = await benchTopics(env);
      const produced = await timed(messages.length, () => produceAll(producer, topics.raw, messages, name));
      const consumed = await consumeAll(env, topics.raw, messages.length);
      const bytes = logBytes(dataDir, topics.raw);
      const times = await single(producer, topics.raw, messages, name);
      note(found, 'producePerSec', produced.perSec);
      note(found, 'consumePerSec', consumed.perSec);
      note(found, 'produceCpuUs', produced.cpuUs);
      note(found, 'consumeCpuUs', consumed.cpuUs);
      note(found, 'singleP50Ms', percentile(times, 0.5));
      note(found, 'singleP99Ms', percentile(times, 0.99));
      if (bytes !== undefined) note(found, 'logBytes', bytes / messages.length);
    }
  }
  await producer.disconnect();
}

function caseOf(figures: Figures): CompressionCase {
  const of = (name: string, digits = 0): number => rounded(median(figures.get(name) ?? []), digits);
  const perSize = BATCH_SIZES.flatMap((size) => [
    [`ratio${size}`, of(`ratio${size}`, 2)] as const,
    [`packNs${size}`, of(`packNs${size}`)] as const,
    [`unpackNs${size}`, of(`unpackNs${size}`)] as const,
  ]);
  return {
    ...(Object.fromEntries(perSize) as Partial<CompressionCase>),
    logBytes: figures.has('logBytes') ? of('logBytes') : undefined,
    producePerSec: of('producePerSec'),
    consumePerSec: of('consumePerSec'),
    produceCpuUs: of('produceCpuUs', 1),
    consumeCpuUs: of('consumeCpuUs', 1),
    singleP50Ms: of('singleP50Ms', 2),
    singleP99Ms: of('singleP99Ms', 2),
  };
}

/** `dataDir` is where the broker keeps its partitions; undefined where that is not known. */
export async function compressionBench(
  env: StackEnv,
  dataDir: string | undefined,
): Promise<CompressionBench> {
  registerCompression();
  const writer = new AlertWriter(1);
  const messages = Array.from({ length: ALERTS }, (_, index): Message => {
    const alert = variedAlert(index, CONTAINERS);
    const key = alert.ContainerID;
    return { key, value: writer.encode(alert), partition: partitionFor(key, PARTITIONS) };
  });
  const figures = new Map<Compression, Figures>(CODECS.map((name) => [name, new Map<string, number[]>()]));
  await inMemory(messages, figures);
  await onBroker(env, dataDir, messages, figures);
  const valueBytes = messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0) / messages.length;
  const cases = [...figures].map(([name, found]) => [name, caseOf(found)] as const);
  return { machine: machine(), valueBytes: Math.round(valueBytes), cases: Object.fromEntries(cases) };
}
