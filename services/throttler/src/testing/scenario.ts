// What an integration test of the throttler works with: topics, a group and limits of its own, the raw topic's
// feed, and the comparison of all that came out with the pure core.

import { type Alert, AlertCodec } from '@alert-throttle/alert';
import { type AlertKafka, createTopics, type TopicNames, type TopicSize } from '@alert-throttle/kafka';
import { readTopic, testKafka, testStack, topicEnv, uniqueName, waitFor } from '@alert-throttle/test-kit';
import {
  checkpointKey,
  type Limits,
  type LimitsChange,
  type LogPosition,
  type OffsetMetadata,
  parseMicros,
  parseOffsetMetadata,
  throttledKey,
} from '@alert-throttle/throttle';
import { Redis } from 'ioredis';
import type { Admin } from 'kafkajs';

import { differences, foldLog, type LoggedRecord, type OracleOptions, outcomeOf } from './oracle.ts';
import { RawFeed } from './raw-feed.ts';
import { ThrottlerRun } from './throttler-run.ts';

export interface ScenarioOptions {
  readonly partitions?: number;
  readonly limits?: Partial<Limits>;
  /** Where it is not the Redis of the stack. */
  readonly redisUrl?: string;
  /** Where it is not the Kafka of the stack. */
  readonly kafka?: OtherKafka;
}

export interface OtherKafka {
  /** What the test itself uses. */
  readonly client: AlertKafka;
  /** What the throttler is told; these may be proxies. */
  readonly brokers: readonly string[];
  readonly replication: number;
}

export interface Committed {
  readonly offset: number;
  readonly metadata: OffsetMetadata;
}

/** A partition's checkpoint as redis-cli would show it. */
export interface StoredCheckpoint {
  readonly fields: ReadonlyMap<string, string>;
  readonly throttled: ReadonlyMap<string, number>;
}

/** Limits under which a test sees intervals begin and end within seconds. */
const SMALL_LIMITS: Limits = { alertThrottling: true, maxAlertPerSec: 3, throttleSec: 2 };

type Parts = Pick<
  Scenario,
  'topics' | 'partitions' | 'limits' | 'redisUrl' | 'kafka' | 'otherKafka' | 'admin' | 'codec' | 'feed'
>;

export class Scenario {
  readonly topics: TopicNames;
  readonly partitions: number;
  readonly limits: Limits;
  readonly redisUrl: string;
  readonly group: string;
  readonly kafka: AlertKafka;
  readonly otherKafka: OtherKafka | undefined;
  readonly admin: Admin;
  readonly codec: AlertCodec;
  readonly feed: RawFeed;
  readonly #derived: Scenario[] = [];

  private constructor(parts: Parts, group = uniqueName('group')) {
    this.topics = parts.topics;
    this.partitions = parts.partitions;
    this.limits = parts.limits;
    this.redisUrl = parts.redisUrl;
    this.kafka = parts.kafka;
    this.otherKafka = parts.otherKafka;
    this.admin = parts.admin;
    this.codec = parts.codec;
    this.feed = parts.feed;
    this.group = group;
  }

  static async create(options: ScenarioOptions = {}): Promise<Scenario> {
    const { partitions = 4, limits, redisUrl, kafka: otherKafka } = options;
    const kafka = otherKafka?.client ?? testKafka();
    const name = uniqueName('throttler');
    const replication = otherKafka?.replication ?? 1;
    const topics = await makeTopics(kafka, name, { partitions, replication });
    const admin = kafka.admin();
    await admin.connect();
    const codec = new AlertCodec({ url: testStack().SCHEMA_REGISTRY_URL });
    await codec.register(topics.raw);
    const feed = new RawFeed({ kafka, topic: topics.raw, partitions, codec });
    return new Scenario({
      topics,
      partitions,
      limits: { ...SMALL_LIMITS, ...limits },
      redisUrl: redisUrl ?? testStack().REDIS_URL,
      kafka,
      otherKafka,
      admin,
      codec,
      feed,
    });
  }

  /** Another group over the same raw topic, with topics of its own for what it writes; closed with this one. */
  async another({ limits, redisUrl }: Pick<ScenarioOptions, 'limits' | 'redisUrl'> = {}): Promise<Scenario> {
    const size = { partitions: this.partitions, replication: this.otherKafka?.replication ?? 1 };
    const topics = await makeTopics(this.kafka, uniqueName('throttler'), size, this.topics.raw);
    const other = new Scenario({
      ...this.#parts(),
      topics,
      limits: { ...this.limits, ...limits },
      redisUrl: redisUrl ?? this.redisUrl,
    });
    this.#derived.push(other);
    return other;
  }

  /** Another group that reads and writes the same topics; closed with this one. */
  sameTopics(): Scenario {
    const same = new Scenario(this.#parts());
    this.#derived.push(same);
    return same;
  }

  /** The same group as somebody sees it who reaches Redis in another way. */
  withRedis(redisUrl: string): Scenario {
    return new Scenario({ ...this.#parts(), redisUrl }, this.group);
  }

  #parts(): Parts {
    const { topics, partitions, limits, redisUrl, kafka, otherKafka, admin, codec, feed } = this;
    return { topics, partitions, limits, redisUrl, kafka, otherKafka, admin, codec, feed };
  }

  env(): Record<string, string> {
    const { alertThrottling, maxAlertPerSec, throttleSec } = this.limits;
    return {
      ...topicEnv(this.topics),
      ...(this.otherKafka && { KAFKA_BROKERS: this.otherKafka.brokers.join() }),
      CONSUMER_GROUP: this.group,
      REDIS_URL: this.redisUrl,
      ALERT_THROTTLING: String(alertThrottling),
      MAX_ALERT_PER_SEC: String(maxAlertPerSec),
      THROTTLE_SEC: String(throttleSec),
    };
  }

  start(env: Readonly<Record<string, string | undefined>> = {}): ThrottlerRun {
    return new ThrottlerRun({ ...this.env(), ...env });
  }

  /** Per partition, where the group stands. */
  async committed(): Promise<Map<number, Committed>> {
    const topics = await this.admin.fetchOffsets({ groupId: this.group, topics: [this.topics.raw] });
    const found = new Map<number, Committed>();
    for (const { partition, offset, metadata } of topics.flatMap(({ partitions }) => partitions)) {
      if (Number(offset) < 0) continue;
      found.set(partition, { offset: Number(offset), metadata: parseOffsetMetadata(metadata ?? '') });
    }
    return found;
  }

  /** The offset after the last record, by partition. */
  async ends(topic: string = this.topics.raw): Promise<Map<number, number>> {
    const offsets = await this.admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  }

  /** Waits until every record that is in the raw topic now was decided. */
  async drained(timeoutMs = 60_000): Promise<void> {
    const ends = await waitFor('the ends of the raw topic', () => this.ends());
    const decided = async (): Promise<boolean> => {
      const committed = await this.committed();
      return [...ends].every(([partition, end]) => (committed.get(partition)?.offset ?? 0) >= end);
    };
    await waitFor(`every record of ${this.topics.raw} to be decided`, decided, { timeoutMs });
  }

  /** Limits as they were in force, by partition and offset. */
  async limitsChanges(): Promise<Map<number, readonly LimitsChange[]>> {
    const committed = await this.committed();
    return new Map([...committed].map(([partition, { metadata }]) => [partition, metadata.limits]));
  }

  /** What a read_committed consumer sees of the throttled topic, from these offsets on. */
  async throttled(from: ReadonlyMap<number, number> = new Map<number, number>()): Promise<LoggedRecord[]> {
    const records = await this.#read(this.topics.throttled);
    return records.filter(({ partition, offset }) => offset >= (from.get(partition) ?? 0));
  }

  #read(topic: string): Promise<LoggedRecord[]> {
    return readTopic(topic, { kafka: this.kafka });
  }

  /** The alerts in the values. Throws for a tombstone. */
  async decoded(records: readonly LoggedRecord[]): Promise<Alert[]> {
    return Promise.all(records.map(({ value }) => this.codec.decode(value ?? Buffer.alloc(0))));
  }

  /** The alerts of the throttled topic, all of them or those of one container. */
  async throttledAlerts(containerId?: string): Promise<Alert[]> {
    const records = (await this.throttled()).filter(({ value }) => value !== null);
    const alerts = await this.decoded(records);
    return alerts.filter(({ ContainerID }) => containerId === undefined || ContainerID === containerId);
  }

  /** The whole raw topic, by partition and offset. */
  raw(): Promise<LoggedRecord[]> {
    return this.#read(this.topics.raw);
  }

  /** The alerts that lie there in the raw topic. */
  async rawAt(positions: readonly (LogPosition | null | undefined)[]): Promise<Alert[]> {
    const raw = await this.#read(this.topics.raw);
    const values = positions.map((at) =>
      raw.find(({ partition, offset }) => partition === at?.Partition && offset === at.Offset),
    );
    return Promise.all(values.map((record) => this.codec.decode(record?.value ?? Buffer.alloc(0))));
  }

  /** What differs from the pure core now; see `agrees`. */
  async problems(
    options: OracleOptions & { readonly raw?: readonly LoggedRecord[] } = {},
  ): Promise<string[]> {
    const raw = options.raw ?? (await this.#read(this.topics.raw));
    const { outcome } = await foldLog(raw, this.codec, this.limits, options);
    return differences(outcome, await outcomeOf(await this.throttled(), this.codec));
  }

  /** Waits until what a read_committed consumer sees is, per container and in order, what the pure core says. */
  async agrees(options: OracleOptions & { readonly raw?: readonly LoggedRecord[] } = {}): Promise<void> {
    const raw = options.raw ?? (await this.#read(this.topics.raw));
    let last: string[] = [];
    const equal = async (): Promise<boolean> => {
      last = await this.problems({ ...options, raw });
      return last.length === 0;
    };
    try {
      await waitFor('the throttled topic to be what the pure core says', equal, { intervalMs: 300 });
    } catch (error) {
      throw new Error(`${String(error)}:\n${last.slice(0, 5).join('\n')}`, { cause: error });
    }
  }

  async checkpoint(partition: number): Promise<StoredCheckpoint> {
    return this.#withRedis(async (redis) => {
      const { raw } = this.topics;
      const fields = await redis.hgetall(checkpointKey(this.group, raw, partition));
      const set = throttledKey(this.group, raw, partition);
      const flat = await redis.call('ZRANGE', set, '0', '-1', 'WITHSCORES');
      const throttled = new Map<string, number>();
      const list = Array.isArray(flat) ? flat.map(String) : [];
      for (let i = 0; i + 1 < list.length; i += 2) throttled.set(list[i] ?? '', Number(list[i + 1]));
      return { fields: new Map(Object.entries(fields)), throttled };
    });
  }

  /** Of all partitions, or of those given. */
  async deleteCheckpoints(partitions = Array.from({ length: this.partitions }, (_, i) => i)): Promise<void> {
    const { raw } = this.topics;
    const keys = partitions.flatMap((partition) => [
      checkpointKey(this.group, raw, partition),
      throttledKey(this.group, raw, partition),
    ]);
    await this.#withRedis((redis) => redis.del(...keys));
  }

  /** As if an older version had written them; where there is one. */
  async outdateCheckpoints(): Promise<void> {
    await this.#withRedis(async (redis) => {
      for (let partition = 0; partition < this.partitions; partition++) {
        const key = checkpointKey(this.group, this.topics.raw, partition);
        if ((await redis.exists(key)) === 1) await redis.hset(key, '@version', '0');
      }
    });
  }

  async #withRedis<T>(use: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.redisUrl, { lazyConnect: true, protocol: 2 });
    redis.on('error', () => undefined);
    try {
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** In words, where the checkpoints are not the pure core's state at the committed offsets. */
  async checkpointProblems(options: OracleOptions = {}): Promise<string[]> {
    const raw = await this.#read(this.topics.raw);
    const committed = await this.committed();
    const problems: string[] = [];
    for (const [partition, { offset, metadata }] of committed) {
      const { fields, throttled } = await this.checkpoint(partition);
      const time = parseMicros(fields.get('@time') ?? '') ?? 0;
      const records = raw.filter((one) => one.partition === partition && one.offset < offset);
      const { folds } = await foldLog(records, this.codec, this.limits, {
        ...options,
        endMicros: () => time,
      });
      const state = folds.get(partition)?.snapshot();
      const say = (what: string, found: unknown, wanted: unknown): void => {
        const [have, want] = [JSON.stringify(found), JSON.stringify(wanted)];
        if (have !== want) problems.push(`partition ${partition}, ${what}: found ${have}, expected ${want}`);
      };
      say('@offset', fields.get('@offset'), String(offset));
      say('@digest', fields.get('@digest'), metadata.digest);
      say('@time', time, metadata.at);
      const stored = [...fields].filter(([field]) => !/^@(?!sequence\/)/.test(field));
      say('fields', stored.sort(byName), [...(state?.set ?? [])].sort(byName));
      say('throttled', [...throttled].sort(byName), [...(state?.throttledSet ?? [])].sort(byName));
    }
    return problems;
  }

  /** Waits until the checkpoints in Redis are the pure core's state at the committed offsets. */
  async checkpointsAgree(options: OracleOptions = {}): Promise<void> {
    let last: string[] = [];
    const equal = async (): Promise<boolean> => {
      last = await this.checkpointProblems(options);
      return last.length === 0;
    };
    try {
      await waitFor('the checkpoints to be the state of the committed offsets', equal, { intervalMs: 300 });
    } catch (error) {
      throw new Error(`${String(error)}:\n${last.slice(0, 5).join('\n')}`, { cause: error });
    }
  }

  /** Deletes its topics and what belongs to them, so that tests do not fill servers that live on. */
  async close(): Promise<void> {
    await this.feed.close();
    const all = [this, ...this.#derived];
    const topics = new Set(
      all.flatMap(({ topics: { raw, throttled, deadLetter } }) => [raw, throttled, deadLetter]),
    );
    // A Kafka of a test's own is gone soon, or is down already.
    if (this.otherKafka === undefined) {
      const present = await this.admin.listTopics();
      await this.admin.deleteTopics({ topics: present.filter((topic) => topics.has(topic)) });
    }
    await this.admin.disconnect();
    for (const topic of topics) {
      await fetch(`${testStack().SCHEMA_REGISTRY_URL}/subjects/${topic}-value`, { method: 'DELETE' });
    }
    for (const scenario of all) {
      // A Redis of a test's own may be gone.
      if (scenario.redisUrl === testStack().REDIS_URL) await scenario.deleteCheckpoints();
    }
  }
}

/** Asked again where the broker does not know yet what it has just made. */
async function makeTopics(
  kafka: AlertKafka,
  name: string,
  size: TopicSize,
  raw = `${name}.raw`,
): Promise<TopicNames> {
  const topics = { raw, throttled: `${name}.throttled`, deadLetter: `${name}.dead-letter` };
  await waitFor(`topics ${name}`, () => createTopics(kafka, topics, size));
  return topics;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
