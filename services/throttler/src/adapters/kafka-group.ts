// Membership of the consumer group: one kafkajs consumer at a time, rebuilt after every crash of it. It says
// which partitions are ours, hands over what is fetched, and never commits an offset itself.

import { EventEmitter, once } from 'node:events';

import { type AlertKafka, asPartitionRecords, partitionRecords } from '@alert-throttle/kafka';
import type { Logger } from '@alert-throttle/observability';
import type { Batch, Consumer, ConsumerRunConfig } from 'kafkajs';

import type { FetchControl, FetchedBatch, MonotonicClock } from '../ports.ts';

/** A killed member's partitions are free after the session timeout; five kills in a row stay within 30 s. */
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 1000;
const REBALANCE_TIMEOUT_MS = 15_000;
/** How long the broker holds an empty fetch; also bounds how long a resumed partition waits. */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES_PER_PARTITION = 4 * 1024 * 1024;
const FETCH_BYTES = 32 * 1024 * 1024;
/** Handlers run for all partitions at once; kafkajs needs a number. */
const CONCURRENT_PARTITIONS = 512;
const REBUILD_AFTER_MS = 1000;

export interface GroupListener {
  /** All partitions that are ours now. */
  assigned(partitions: readonly number[]): void;
  /** The consumer crashed: nothing is ours until `assigned` says so. */
  lost(): void;
  batch(partition: number, batch: FetchedBatch): Promise<void>;
  /** A fetch of control records only, from `start` on. `end` is the offset after them. */
  skipped(partition: number, start: number, end: number): void;
}

export interface KafkaGroupOptions {
  /** A new client each call: consumers must not share one. */
  readonly kafka: () => AlertKafka;
  readonly group: string;
  readonly topic: string;
  readonly listener: GroupListener;
  readonly clock: MonotonicClock;
  readonly logger: Logger;
}

export class KafkaGroup implements FetchControl {
  readonly #options: KafkaGroupOptions;
  #consumer: Consumer | undefined;
  #stopping = false;
  #joined = false;
  /** When the group was last known to count on us. */
  #aliveAtMs: number;
  #rebuildTimer: NodeJS.Timeout | undefined;
  readonly #signs = new EventEmitter().setMaxListeners(0);

  constructor(options: KafkaGroupOptions) {
    this.#options = options;
    this.#aliveAtMs = options.clock.nowMs();
  }

  get joined(): boolean {
    return this.#joined;
  }

  /** Milliseconds since the group was last known to count on us. */
  get silentMs(): number {
    return this.#options.clock.nowMs() - this.#aliveAtMs;
  }

  /** Joins, and joins again after every crash, until `stop`. */
  async start(): Promise<void> {
    if (!this.#stopping) await this.#join();
  }

  /** From now on silence counts. */
  expectLife(): void {
    this.#alive();
  }

  /** Resolves when the group next shows that it counts on us; rejects on abort. */
  async nextSignOfLife(signal: AbortSignal): Promise<void> {
    await once(this.#signs, 'alive', { signal });
  }

  #alive(): void {
    this.#aliveAtMs = this.#options.clock.nowMs();
    this.#signs.emit('alive');
  }

  async #join(): Promise<void> {
    const { group, topic, logger } = this.#options;
    const consumer = this.#options.kafka().consumer({
      groupId: group,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
      maxBytes: FETCH_BYTES,
      allowAutoTopicCreation: false,
      readUncommitted: false,
      retry: {
        initialRetryTime: 100,
        maxRetryTime: 2000,
        retries: 6,
        // kafkajs would go on with what it had; a crash means a new consumer here.
        restartOnFailure: () => Promise.resolve(false),
      },
    });
    this.#consumer = consumer;
    this.#listen(consumer);
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      const eachBatch: ConsumerRunConfig['eachBatch'] = async (payload) => {
        const { batch } = payload;
        await this.#options.listener.batch(
          batch.partition,
          fetched(batch, () => payload.heartbeat()),
        );
        // Where the owner wants another offset it has sought it, and a seek wins.
        payload.resolveOffset(batch.messages.at(-1)?.offset ?? batch.lastOffset());
      };
      await asPartitionRecords(() =>
        consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
          eachBatch,
        }),
      );
    } catch (error) {
      logger.warn({ err: error }, 'joining the consumer group failed; trying again');
      this.#rebuild(consumer);
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#rebuildTimer);
    await this.#consumer?.disconnect();
  }

  seekAndResume(partition: number, offset: number): void {
    const { topic } = this.#options;
    this.#control((consumer) => {
      consumer.seek({ topic, partition, offset: String(offset) });
      consumer.resume([{ topic, partitions: [partition] }]);
    });
  }

  pause(partition: number): void {
    const { topic } = this.#options;
    this.#control((consumer) => consumer.pause([{ topic, partitions: [partition] }]));
  }

  /** kafkajs refuses these calls while no consumer runs; the next assignment starts from scratch anyway. */
  #control(act: (consumer: Consumer) => void): void {
    if (this.#consumer === undefined || !this.#joined) return;
    try {
      act(this.#consumer);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'the consumer is ending');
    }
  }

  #listen(consumer: Consumer): void {
    const { listener, topic, logger } = this.#options;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (this.#consumer !== consumer) return;
      this.#joined = true;
      // Synchronous: kafkajs fetches only after its listeners returned.
      listener.assigned(payload.memberAssignment[topic] ?? []);
      this.#alive();
    });
    consumer.on(consumer.events.HEARTBEAT, () => {
      if (this.#consumer === consumer) this.#alive();
    });
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (this.#consumer !== consumer || payload.topic !== topic || payload.batchSize > 0) return;
      const end = Number(payload.lastOffset) + 1;
      // Null, against its type, where the fetch held only records before the one asked for.
      const first = payload.firstOffset as string | null;
      listener.skipped(payload.partition, first === null ? end : Number(first), end);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (this.#consumer !== consumer) return;
      logger.warn({ err: payload.error }, 'the consumer crashed; building a new one');
      this.#rebuild(consumer);
    });
  }

  #rebuild(consumer: Consumer): void {
    if (this.#consumer !== consumer) return;
    this.#consumer = undefined;
    this.#joined = false;
    this.#options.listener.lost();
    void consumer.disconnect().catch(() => undefined);
    if (this.#stopping) return;
    this.#rebuildTimer = setTimeout(() => void this.#join(), REBUILD_AFTER_MS);
  }
}

function fetched(batch: Batch, heartbeat: () => Promise<void>): FetchedBatch {
  const { fetchedOffset } = batch as Batch & { readonly fetchedOffset: string };
  return {
    records: partitionRecords(batch),
    heartbeat,
    fetchedOffset: Number(fetchedOffset),
    end: Number(batch.lastOffset()) + 1,
    highWatermark: Number(batch.highWatermark),
  };
}
