// Reads the three topics for the view, from given offsets on, and knows how far it has read each partition.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AlertFormatError,
  RegistryUnavailableError,
  schemaIdOf,
  type Alert,
  type AlertCodec,
} from '@alert-throttle/alert';
import type { TopicNames } from '@alert-throttle/kafka';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { Positions } from './completion.ts';
import type { ViewRecord, ViewTopic } from './view-model.ts';

/** Short, since stopping waits for the fetch in hand. */
const MAX_WAIT_MS = 250;
const REGISTRY_ATTEMPTS = 20;
const REGISTRY_PAUSE_MS = 500;

export type TopicPositions = Readonly<Record<ViewTopic, Positions>>;

export interface TopicReaderOptions {
  readonly kafka: Kafka;
  readonly topics: TopicNames;
  readonly codec: AlertCodec;
  /** A consumer group of its own; nothing is ever committed for it. */
  readonly groupId: string;
  readonly from: TopicPositions;
  readonly onRecord: (record: ViewRecord) => void;
  /** Reading cannot go on. */
  readonly onFailure: (error: Error) => void;
}

export class TopicReader {
  readonly #options: TopicReaderOptions;
  readonly #consumer: Consumer;
  readonly #next: Record<ViewTopic, number[]>;
  /** Records below are not passed on. */
  #from: TopicPositions;
  /** Schema ids that the registry does not know. */
  readonly #unknownSchemas = new Set<number>();

  constructor(options: TopicReaderOptions) {
    this.#options = options;
    this.#from = options.from;
    this.#next = {
      raw: [...options.from.raw],
      throttled: [...options.from.throttled],
      deadLetter: [...options.from.deadLetter],
    };
    this.#consumer = options.kafka.consumer({
      groupId: options.groupId,
      readUncommitted: false,
      maxWaitTimeInMs: MAX_WAIT_MS,
    });
  }

  /** Offset of the next record to be read, per partition. */
  positions(topic: ViewTopic): Positions {
    return this.#next[topic];
  }

  /** From now on records below these offsets are left out, even where they were not read yet. */
  leaveOutBelow(from: TopicPositions): void {
    this.#from = from;
  }

  /** Resolves once the group is joined. */
  async start(): Promise<void> {
    const consumer = this.#consumer;
    // The member has no committed offsets, so it is told its positions at each join, before its first fetch.
    consumer.on(consumer.events.GROUP_JOIN, () => this.#seekAll());
    // Also sent for batches without a record for us: control records, or what an aborted transaction left behind.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      this.#advance(payload.topic, payload.partition, Number(payload.lastOffset) + 1);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) this.#options.onFailure(payload.error);
    });
    await consumer.connect();
    const { raw, throttled, deadLetter } = this.#options.topics;
    await consumer.subscribe({ topics: [raw, throttled, deadLetter] });
    await consumer.run({
      autoCommit: false,
      eachBatch: (payload) => this.#batch(payload),
    });
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect();
  }

  #seekAll(): void {
    for (const topic of ['raw', 'throttled', 'deadLetter'] as const)
      this.#next[topic].forEach((offset, partition) => {
        this.#consumer.seek({ topic: this.#options.topics[topic], partition, offset: String(offset) });
      });
  }

  #advance(name: string, partition: number, offset: number): void {
    const topic = this.#viewTopic(name);
    if (topic) this.#next[topic][partition] = Math.max(offset, this.#next[topic][partition] ?? 0);
  }

  #viewTopic(name: string): ViewTopic | undefined {
    const { raw, throttled, deadLetter } = this.#options.topics;
    if (name === raw) return 'raw';
    if (name === throttled) return 'throttled';
    return name === deadLetter ? 'deadLetter' : undefined;
  }

  /** Everything is read before anything is passed on, so a batch that is fetched again counts once. */
  async #batch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const topic = this.#viewTopic(batch.topic);
    if (!topic) return;
    const { partition } = batch;
    const records: ViewRecord[] = [];
    for (const message of batch.messages) {
      if (!payload.isRunning() || payload.isStale()) return;
      const alert =
        topic === 'deadLetter' ? undefined : (this.#readNow(message) ?? (await this.#read(message)));
      records.push({
        topic,
        partition,
        offset: Number(message.offset),
        timestampMs: Number(message.timestamp),
        key: message.key?.toString() ?? '',
        alert,
      });
    }
    const from = this.#from[topic][partition] ?? 0;
    for (const record of records) if (record.offset >= from) this.#options.onRecord(record);
    this.#advance(batch.topic, partition, Number(batch.lastOffset()) + 1);
    await payload.heartbeat();
  }

  /** Without waiting, where the schema is known already. */
  #readNow({ value }: KafkaMessage): Alert | undefined {
    if (!value) return undefined;
    try {
      return this.#options.codec.reader(value)?.decode(value);
    } catch (error) {
      if (error instanceof AlertFormatError) return undefined;
      throw error;
    }
  }

  /** Null for a tombstone, undefined for bytes that are no alert. */
  async #read({ value }: KafkaMessage): Promise<Alert | null | undefined> {
    if (!value) return null;
    try {
      const schemaId = schemaIdOf(value);
      if (this.#unknownSchemas.has(schemaId)) return undefined;
      if ((await this.#fetchSchema(schemaId)) === 'known')
        return this.#options.codec.reader(value)?.decode(value);
      this.#unknownSchemas.add(schemaId);
      return undefined;
    } catch (error) {
      if (error instanceof AlertFormatError) return undefined;
      throw error;
    }
  }

  async #fetchSchema(schemaId: number): Promise<'known' | 'not-found'> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#options.codec.fetch(schemaId);
      } catch (error) {
        if (!(error instanceof RegistryUnavailableError) || attempt === REGISTRY_ATTEMPTS) throw error;
        await sleep(REGISTRY_PAUSE_MS);
      }
    }
  }
}
