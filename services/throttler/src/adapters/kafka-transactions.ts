// One transactional producer per partition of the raw topic: the transactional id, initialised before the
// committed offset is read, is what fences an earlier owner (kafkajs sends no group generation along).
//
// A broker that is restarted may forget to end a transaction that it has confirmed: see abort-hanging.ts of
// packages/kafka. A claim aborts what hangs. That is right because outputs and offset hang together, and are decided
// again; so no offset is committed while outputs of the transaction before it may hang.

import { setTimeout as sleep } from 'node:timers/promises';

import type { CompressionTypes, Kafka, Message, Producer, Transaction } from 'kafkajs';

import { headerBytes } from '../core/header-bytes.ts';
import type { CommittedOffset, OutputRecord, OutputTopic, PartitionTransactions } from '../ports.ts';

const OUTPUT_TOPICS: readonly OutputTopic[] = ['throttled', 'deadLetter'];
/** kafkajs groups messages by partition in quadratic time, so one send stays small. */
const MAX_MESSAGES_PER_SEND = 500;
/** Below the broker's default max.message.bytes (1 MiB), with room for keys and headers. */
const MAX_BYTES_PER_SEND = 900 * 1024;
/** The coordinator answers CONCURRENT_TRANSACTIONS while it still writes the markers of the one before. */
const OFFSETS_ATTEMPTS = 200;
const OFFSETS_RETRY_MS = 5;
/** For the markers of the transaction before, which are there within milliseconds or, after a restart, never. */
const ENDED_ATTEMPTS = 500;
const ENDED_RETRY_MS = 10;
const RETRIABLE_OFFSETS_ERRORS = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'GROUP_LOAD_IN_PROGRESS',
]);

/** What a transactional producer is made by. */
export type ProducerSource = Pick<Kafka, 'producer'>;

export interface KafkaTransactionsOptions {
  readonly kafka: ProducerSource;
  readonly transactionalId: string;
  readonly partition: number;
  readonly group: string;
  readonly rawTopic: string;
  readonly topics: Readonly<Record<OutputTopic, string>>;
  readonly transactionTimeoutMs: number;
  /** For a whole commit; beyond the transaction timeout, so that what is not committed then cannot be any more. */
  readonly commitTimeoutMs: number;
  readonly compression: CompressionTypes;
  /** Ends what earlier producers of the transactional id left without an end. */
  readonly abortHanging: () => Promise<void>;
  /** Where a consumer of the partition would wait for the next record that is committed. */
  readonly stableEnd: (topic: OutputTopic) => Promise<number>;
}

/** A transaction of ours has no end in its topic, although the broker has confirmed it. */
export class OutputsHangError extends Error {
  override readonly name = 'OutputsHangError';
  readonly code = 'OUTPUTS_HANG';
}

/** The broker has aborted the transaction by now, or nothing of it reached the broker. */
export class CommitTimeoutError extends Error {
  override readonly name = 'CommitTimeoutError';
  readonly code = 'COMMIT_TIMEOUT';
}

/** kafkajs passes `metadata` of an offset through to the broker; its type does not know it. */
interface OffsetWithMetadata {
  partition: number;
  offset: string;
  metadata: string;
}

function errorType(error: unknown): string {
  return typeof error === 'object' && error !== null && 'type' in error ? String(error.type) : '';
}

function bytesOf(record: OutputRecord): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0) + headerBytes(record.headers) + 64;
}

/** Cuts the outputs, in order, into pieces that one produce request may carry. */
export function* chunks(outputs: readonly OutputRecord[]): Generator<OutputRecord[]> {
  let chunk: OutputRecord[] = [];
  let bytes = 0;
  for (const output of outputs) {
    const size = bytesOf(output);
    if (chunk.length > 0 && (chunk.length >= MAX_MESSAGES_PER_SEND || bytes + size > MAX_BYTES_PER_SEND)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(output);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

export class KafkaTransactions implements PartitionTransactions {
  readonly #options: KafkaTransactionsOptions;
  readonly #producer: Producer;
  /** Where the outputs of the last transaction that had some in that topic end; its marker follows. */
  readonly #written = new Map<OutputTopic, number>();

  constructor(options: KafkaTransactionsOptions) {
    this.#options = options;
    this.#producer = options.kafka.producer({
      transactionalId: options.transactionalId,
      maxInFlightRequests: 1,
      transactionTimeout: options.transactionTimeoutMs,
      allowAutoTopicCreation: false,
    });
  }

  async fence(): Promise<void> {
    await this.#options.abortHanging();
    await this.#producer.connect();
    // kafkajs asks for the producer id when the first transaction begins; aborting an empty one sends nothing.
    await (await this.#producer.transaction()).abort();
  }

  /**
   * kafkajs tries for a minute or two where the way to one broker is cut; meanwhile another instance, whose way is not,
   * could have the partition.
   */
  async commit(outputs: readonly OutputRecord[], position: CommittedOffset): Promise<void> {
    const timer = new AbortController();
    const work = this.#commit(outputs, position);
    try {
      await Promise.race([work, this.#timeout(timer.signal)]);
    } finally {
      timer.abort();
      // What it throws after that is nobody's concern: the producer is spent.
      work.catch(() => undefined);
    }
  }

  async #timeout(signal: AbortSignal): Promise<never> {
    const { commitTimeoutMs: ms } = this.#options;
    await sleep(ms, undefined, { signal });
    throw new CommitTimeoutError(`no transaction was committed within ${ms / 1000} s`);
  }

  async #commit(outputs: readonly OutputRecord[], position: CommittedOffset): Promise<void> {
    // A topic that this transaction writes to gets its marker, which would end what hangs there as well.
    for (const topic of this.#written.keys()) {
      if (outputs.every((output) => output.topic !== topic)) await this.#ended(topic);
    }
    const transaction = await this.#producer.transaction();
    // One topic a send: kafkajs retries by broker, and takes one topic's answer for the other's.
    for (const topic of OUTPUT_TOPICS) {
      const ofTopic = outputs.filter((output) => output.topic === topic);
      for (const chunk of chunks(ofTopic)) {
        this.#written.set(topic, (await this.#send(transaction, topic, chunk)) + chunk.length);
      }
    }
    await this.#sendOffsets(transaction, position);
    await transaction.commit();
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }

  /** Waits for the marker of the last transaction with outputs to that topic. */
  async #ended(topic: OutputTopic): Promise<void> {
    const written = this.#written.get(topic) ?? 0;
    for (let attempt = 1; !((await this.#options.stableEnd(topic)) > written); attempt++) {
      if (attempt >= ENDED_ATTEMPTS) {
        throw new OutputsHangError(`the last transaction has no end in ${this.#options.topics[topic]}`);
      }
      await sleep(ENDED_RETRY_MS);
    }
    this.#written.delete(topic);
  }

  /** Returns the offset of the first. */
  async #send(transaction: Transaction, topic: OutputTopic, chunk: readonly OutputRecord[]): Promise<number> {
    const { partition, topics, compression } = this.#options;
    // Neighbours were often appended together.
    let [ms, timestamp] = [-1, ''];
    const messages = chunk.map(({ key, value, headers, timestampMs }): Message => {
      if (timestampMs !== ms) [ms, timestamp] = [timestampMs, String(timestampMs)];
      return headers === undefined
        ? { key, value, partition, timestamp }
        : { key, value, partition, timestamp, headers };
    });
    const [sent] = await transaction.send({ acks: -1, topic: topics[topic], messages, compression });
    return Number(sent?.baseOffset);
  }

  async #sendOffsets(transaction: Transaction, position: CommittedOffset): Promise<void> {
    const offset: OffsetWithMetadata = {
      partition: this.#options.partition,
      offset: String(position.offset),
      metadata: position.metadata,
    };
    const offsets = {
      consumerGroupId: this.#options.group,
      topics: [{ topic: this.#options.rawTopic, partitions: [offset] }],
    };
    for (let attempt = 1; ; attempt++) {
      try {
        await transaction.sendOffsets(offsets);
        return;
      } catch (error) {
        if (attempt >= OFFSETS_ATTEMPTS || !RETRIABLE_OFFSETS_ERRORS.has(errorType(error))) throw error;
        await sleep(OFFSETS_RETRY_MS);
      }
    }
  }
}
