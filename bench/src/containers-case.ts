// One case of the containers benchmark, in a process of its own, so that its memory is that of the case:
//
//   fill REDIS_URL GROUP CONTAINERS THROTTLED   folds so many containers, flushes them, and times what a running
//                                               throttler does with them
//   claim REDIS_URL GROUP                       what another process does at a takeover: reads it all back
//
// The state, the records' bytes and Redis are the real ones; Kafka is left out. Prints one JSON object.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Alert, AlertWriter, createReader, releasedSchemas } from '@alert-throttle/alert';
import { type PartitionRecord, PartitionRecords } from '@alert-throttle/kafka';
import { checkpointKey, DEFAULT_LIMITS, PartitionFold, throttledKey } from '@alert-throttle/throttle';
import { Checkpointer, RecordFolder, RedisCheckpointStore } from '@alert-throttle/throttler/parts';
import { Redis } from 'ioredis';

import { containerId, sampleAlert } from './sample-alert.ts';
import { median, rounded } from './statistics.ts';

/** As many records as a fetch of the throughput benchmark brings. */
const BATCH = 2000;
/** A container's alerts come in runs: whatever it does, it does several times. */
const RUN = 5;
/** Between two runs: with a thousand containers, few of them get a third within a second, and are throttled. */
const RUN_APART_MS = 25;
/** All rounds together stay within the 15 minutes after which an unseen window is forgotten. */
const RATE_BATCHES = 10;
const ROUNDS = 5;
const CHANGED = 1000;
const FEW = 1000;
const WARM_UP = 20_000;
const START_MS = 1_763_881_200_000;

const [mode = '', redisUrl = '', group = '', containers = '0', throttled = '0'] = process.argv.slice(2);

const nothing = (): undefined => undefined;
const logger = { info: nothing, warn: console.error, debug: nothing, error: console.error };

interface Memory {
  /** What the system has given to the process, after garbage is collected. */
  readonly rss: number;
  /** What is in use of the heap and beside it. */
  readonly live: number;
}

async function memory(): Promise<Memory> {
  for (let n = 0; n < 3; n++) {
    globalThis.gc?.();
    await sleep(100);
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss, live: heapUsed + arrayBuffers };
}

/** How long it took, and the longest time for which nothing else could run meanwhile. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; blockMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await sleep(10);
  delay.reset();
  const startedMs = performance.now();
  await work();
  const ms = performance.now() - startedMs;
  await sleep(5);
  delay.disable();
  return { ms: Math.round(ms), blockMs: Math.round(delay.max / 1e6) };
}

/** A partition's state as a claim has it, and records for it: one alert's bytes with another container's id. */
class Partition {
  readonly fold = new PartitionFold();
  readonly folder: RecordFolder;
  readonly #template: Buffer;
  readonly #idAt: number;
  #nowMs = START_MS;
  #offset = 0;

  constructor() {
    const writer = new AlertWriter(1);
    const newest = releasedSchemas.at(-1);
    if (newest === undefined) throw new Error('no schema');
    const reader = createReader(newest.type);
    const encode = (alert: Alert): Buffer => writer.encode(alert);
    const schemas = { reader: () => reader, isUnknown: () => false, encode };
    this.folder = new RecordFolder({ fold: this.fold, schemas, topic: 'bench', partition: 0 });
    this.folder.goLive();
    const alert = sampleAlert(0, 1);
    // Neither numbered nor timed by its node: the log's order and time count.
    alert.Sequence = 0;
    alert.EventTimeMicros = 0;
    this.#template = encode(alert);
    this.#idAt = this.#template.indexOf(alert.ContainerID);
  }

  /** So many alerts of each of the containers, `apartMs` between two containers. */
  records(ids: readonly string[], alerts: number, apartMs: number): PartitionRecords {
    const records: PartitionRecord[] = [];
    for (const id of ids) {
      this.#nowMs += apartMs;
      for (let n = 0; n < alerts; n++) {
        const value = Buffer.from(this.#template);
        value.write(id, this.#idAt, 'latin1');
        const appendMs = Math.floor(this.#nowMs);
        records.push({ offset: this.#offset++, appendMs, key: Buffer.from(id), value, headers: undefined });
      }
    }
    return PartitionRecords.of(records);
  }

  /** Folds as a batch that is committed: with its outputs, and the digest that goes with the offset. */
  batch(records: PartitionRecords): void {
    this.folder.foldAll(records, DEFAULT_LIMITS);
    this.folder.takeOutputs();
    this.fold.digest();
  }

  async flush(checkpointer: Checkpointer): Promise<void> {
    const head = { offset: this.#offset, digest: this.fold.digest(), limits: '{}' };
    await checkpointer.flush(this.fold, head);
    if (checkpointer.degraded || checkpointer.mustReplace) throw new Error('the flush failed');
  }
}

function open(redis: Redis, of = group): Checkpointer {
  return new Checkpointer({
    store: new RedisCheckpointStore(redis, of, 'bench'),
    partition: 0,
    logger: logger as unknown as ConstructorParameters<typeof Checkpointer>[0]['logger'],
    onDegraded: nothing,
    onFlushed: nothing,
  });
}

async function inRedis(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? 0);
}

function idsFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => containerId(first + index));
}

/** Folds so many containers, a few thousand at a time, so that little is left but their windows. */
async function fill(partition: Partition, first: number, count: number, alerts: number): Promise<void> {
  for (let from = first; from < first + count; from += BATCH) {
    partition.batch(partition.records(idsFrom(from, Math.min(BATCH, first + count - from)), alerts, 0));
    await sleep(0);
  }
}

/** Alerts a second through decoding, deciding and the digest: runs of a container's alerts, containers at random. */
function rate(partition: Partition, among: number): number {
  let state = 12_345;
  let ms = 0;
  for (let n = 0; n < RATE_BATCHES; n++) {
    const ids = Array.from({ length: BATCH / RUN }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return containerId(state % among);
    });
    const records = partition.records(ids, RUN, RUN_APART_MS);
    const startedMs = performance.now();
    partition.batch(records);
    ms += performance.now() - startedMs;
  }
  return (RATE_BATCHES * BATCH * 1000) / ms;
}

/** With many containers and with few by turns, as the machine's speed drifts. */
function rates(
  many: Partition,
  containerCount: number,
  few: Partition,
): { perSec: number; ofThousand: number } {
  const samples = Array.from({ length: ROUNDS + 1 }, () => ({
    few: rate(few, FEW),
    many: rate(many, containerCount),
  })).slice(1);
  return {
    perSec: Math.round(median(samples.map((sample) => sample.many))),
    ofThousand: rounded(median(samples.map((sample) => sample.many / sample.few))),
  };
}

async function fillCase(redis: Redis): Promise<object> {
  const [quiet, open100k] = [Number(containers), Number(throttled)];
  const few = new Partition();
  await fill(few, 0, FEW, 1);
  await warmUp(redis);
  const partition = new Partition();
  const checkpointer = open(redis);
  await partition.flush(checkpointer);
  const [processBefore, redisBefore] = [await memory(), await inRedis(redis)];
  await fill(partition, 0, quiet, 1);
  const replaced = await timed(() => partition.flush(checkpointer));
  const [processQuiet, redisQuiet] = [await memory(), await inRedis(redis)];
  const decided = rates(partition, quiet, few);
  await partition.flush(checkpointer);
  const [beforeThrottled, redisBeforeThrottled] = [await memory(), await inRedis(redis)];
  await fill(partition, quiet, open100k, DEFAULT_LIMITS.maxAlertPerSec + 2);
  await partition.flush(checkpointer);
  const [processThrottled, redisThrottled] = [await memory(), await inRedis(redis)];
  const flushes: { ms: number; blockMs: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    partition.batch(partition.records(idsFrom(round * CHANGED, CHANGED), 1, 0));
    flushes.push(await timed(() => partition.flush(checkpointer)));
  }
  return {
    containers: quiet,
    windows: partition.fold.windowCount,
    bytesPerQuiet: Math.round((processQuiet.rss - processBefore.rss) / quiet),
    liveBytesPerQuiet: Math.round((processQuiet.live - processBefore.live) / quiet),
    redisBytesPerQuiet: Math.round((redisQuiet - redisBefore) / quiet),
    throttled: partition.fold.openCount,
    bytesPerThrottled: Math.round((processThrottled.rss - beforeThrottled.rss) / open100k),
    liveBytesPerThrottled: Math.round((processThrottled.live - beforeThrottled.live) / open100k),
    redisBytesPerThrottled: Math.round((redisThrottled - redisBeforeThrottled) / open100k),
    ...decided,
    replaceMs: replaced.ms,
    replaceBlockMs: replaced.blockMs,
    flushMs: median(flushes.map(({ ms }) => ms)),
    flushBlockMs: median(flushes.map(({ blockMs }) => blockMs)),
  };
}

/** All of it once with other containers, which are gone then: what the process takes for that is no window's. */
async function warmUp(redis: Redis): Promise<void> {
  const partition = new Partition();
  const checkpointer = open(redis, `${group}-warm-up`);
  await fill(partition, 0, WARM_UP, DEFAULT_LIMITS.maxAlertPerSec + 2);
  await fill(partition, WARM_UP, WARM_UP, 1);
  await partition.flush(checkpointer);
  await checkpointer.load();
  const [hash, set] = [
    checkpointKey(`${group}-warm-up`, 'bench', 0),
    throttledKey(`${group}-warm-up`, 'bench', 0),
  ];
  await redis.unlink(hash, set);
}

async function claimCase(redis: Redis): Promise<object> {
  await warmUp(redis);
  const before = await memory();
  const checkpointer = open(redis);
  let loaded: Awaited<ReturnType<Checkpointer['load']>>;
  const cpuBefore = process.cpuUsage();
  const { ms, blockMs } = await timed(async () => {
    loaded = await checkpointer.load();
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  const after = await memory();
  const windows = loaded?.fold.windowCount ?? 0;
  return {
    claimMs: ms,
    claimCpuMs: Math.round((user + system) / 1000),
    claimBlockMs: blockMs,
    claimedWindows: windows,
    claimedBytesPerWindow: Math.round((after.rss - before.rss) / windows),
  };
}

const redis = new Redis(redisUrl, { protocol: 2 });
await redis.ping();
const result = mode === 'claim' ? await claimCase(redis) : await fillCase(redis);
redis.disconnect();
process.stdout.write(JSON.stringify(result));
