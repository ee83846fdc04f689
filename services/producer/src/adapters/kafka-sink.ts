// Records to Kafka, idempotent and with acks=all.
//
// Order is everything here: the throttler skips a record whose number is not above the highest one that it has seen of
// the same node and boot in the partition. So record k+1 of a partition is never sent before k is acknowledged: one
// send at a time, and after any failure the same records again, in the same order. A kafkajs producer that failed is
// discarded: it would give the sequence numbers of the failed batch to other records, and the broker would take those
// for repeats and drop them.
import { RegistryUnavailableError, type Alert } from '@alert-throttle/alert';
import {
  checkTopics,
  kafkaFailure,
  NOT_THERE,
  partitionFor,
  type AlertKafka,
  type TopicNames,
  type TopicProblem,
} from '@alert-throttle/kafka';
import type { CompressionTypes, IHeaders, Message, Producer, TopicMessages } from 'kafkajs';
import { recordBytes } from '../core/record.ts';
import { ProducerError, reasonOf } from '../errors.ts';
import type { AlertSink, Clock, SpooledRecord } from '../ports.ts';
import { decodeVersion, setSchemaId } from './alert-schemas.ts';

/** kafkajs groups the messages of a partition in quadratic time. */
const MAX_MESSAGES = 500;

/** Kafka's default for a batch is 1 MiB, and kafkajs makes one batch per partition and send. */
const MAX_PARTITION_BYTES = 900 * 1024;
/** Where the broker takes less, it is tried with less, down to single records. */
const MIN_PARTITION_BYTES = 1024;
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** kafkajs gets the sequence wrong where it wraps at 2^31. */
const MAX_MESSAGES_PER_PRODUCER = 1_000_000_000;

const SEND_TIMEOUT_MS = 60_000;
const DISCONNECT_TIMEOUT_MS = 2_000;
const PARTITIONS_MAX_AGE_MS = 5 * 60_000;
const MAX_CACHED_KEYS = 10_000;

/** As much of AlertCodec as is needed to send. */
export interface SchemaRegistration {
  /** Registers the Alert schema for the topic; the newest version's id. */
  register(topic: string): Promise<number>;
  encode(alert: Alert): Buffer;
}

export interface KafkaSinkOptions {
  /** A new client each time. */
  readonly createKafka: () => AlertKafka;
  readonly codec: SchemaRegistration;
  readonly topics: TopicNames;
  readonly brokers: readonly string[];
  readonly schemaVersion: number;
  readonly compression: CompressionTypes;
  readonly clock: Clock;
  readonly warn: (fields: object, message: string) => void;
}

interface Connection {
  readonly kafka: AlertKafka;
  readonly producer: Producer;
  readonly schemaId: number;
  sentMessages: number;
}

interface PartitionCounts {
  readonly raw: number;
  readonly deadLetter: number;
  readonly atMs: number;
}

export class KafkaSink implements AlertSink {
  readonly target: string;
  readonly #options: KafkaSinkOptions;
  #schemaId: number | undefined;
  #connection: Connection | undefined;
  #partitions: PartitionCounts = { raw: 1, deadLetter: 1, atMs: 0 };
  #partitionOfKey = new Map<string, number>();
  #maxPartitionBytes = MAX_PARTITION_BYTES;
  readonly #warned = new Set<string>();

  constructor(options: KafkaSinkOptions) {
    this.#options = options;
    this.target = `Kafka at ${options.brokers.join(',')}`;
  }

  async connect(): Promise<void> {
    if (this.#connection) return;
    const { createKafka, codec, topics } = this.#options;
    this.#schemaId ??= await codec.register(topics.raw);
    const kafka = createKafka();
    let producer: Producer | undefined;
    try {
      await this.#requireTopics(kafka);
      await this.#fetchPartitions(kafka);
      producer = kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
      });
      await producer.connect();
    } catch (error) {
      if (producer) await this.#abandon(producer);
      throw this.#explain(error, 'cannot connect');
    }
    this.#connection = { kafka, producer, schemaId: this.#schemaId, sentMessages: 0 };
  }

  fit(records: readonly SpooledRecord[]): number {
    const counts = new Map<string, { messages: number; bytes: number }>();
    let total = 0;
    for (const [index, record] of records.entries()) {
      const place = `${record.kind === 'deadLetter' ? 'd' : 'r'}${this.#partitionOf(record)}`;
      const count = counts.get(place) ?? { messages: 0, bytes: 0 };
      counts.set(place, count);
      const bytes = recordBytes(record);
      count.messages += 1;
      count.bytes += bytes;
      total += bytes;
      const isFull =
        count.messages > MAX_MESSAGES || count.bytes > this.#maxPartitionBytes || total > MAX_REQUEST_BYTES;
      if (isFull && index > 0) return index;
    }
    return records.length;
  }

  async send(records: readonly SpooledRecord[]): Promise<void> {
    const connection = await this.#freshConnection();
    const topicMessages = this.#messages(records, connection.schemaId);
    connection.sentMessages += records.length;
    try {
      await within(
        SEND_TIMEOUT_MS,
        connection.producer.sendBatch({ acks: -1, topicMessages, compression: this.#options.compression }),
        () => new ProducerError('SEND_TIMEOUT', `no answer within ${SEND_TIMEOUT_MS / 1000} s`),
      );
    } catch (error) {
      await this.disconnect();
      if (typeOf(error) === 'MESSAGE_TOO_LARGE')
        this.#maxPartitionBytes = Math.max(MIN_PARTITION_BYTES, this.#maxPartitionBytes / 2);
      throw this.#explain(error, 'cannot send');
    }
  }

  async disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection) await this.#abandon(connection.producer);
  }

  async #freshConnection(): Promise<Connection> {
    if (this.#connection && this.#connection.sentMessages > MAX_MESSAGES_PER_PRODUCER)
      await this.disconnect();
    await this.connect();
    const connection = this.#connection;
    if (!connection) throw new ProducerError('SEND_FAILED', `not connected to ${this.target}`);
    if (this.#options.clock.nowMs() - this.#partitions.atMs > PARTITIONS_MAX_AGE_MS) {
      try {
        await this.#fetchPartitions(connection.kafka);
      } catch (error) {
        await this.disconnect();
        throw this.#explain(error, 'cannot ask');
      }
    }
    return connection;
  }

  #messages(records: readonly SpooledRecord[], schemaId: number): TopicMessages[] {
    const { topics } = this.#options;
    const raw: Message[] = [];
    const deadLetters: Message[] = [];
    for (const record of records) {
      const message: Message = {
        key: record.key,
        value: this.#valueOf(record, schemaId),
        partition: this.#partitionOf(record),
      };
      if (record.headers !== null) message.headers = JSON.parse(record.headers) as IHeaders;
      (record.kind === 'deadLetter' ? deadLetters : raw).push(message);
    }
    const topicMessages = [
      { topic: topics.raw, messages: raw },
      { topic: topics.deadLetter, messages: deadLetters },
    ];
    return topicMessages.filter(({ messages }) => messages.length > 0);
  }

  #valueOf({ kind, value, schemaVersion }: SpooledRecord, schemaId: number): Buffer | null {
    if (value === null) return null;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (kind === 'deadLetter') return bytes;
    if (schemaVersion !== this.#options.schemaVersion)
      return this.#options.codec.encode(decodeVersion(bytes, schemaVersion));
    setSchemaId(bytes, schemaId);
    return bytes;
  }

  #partitionOf({ kind, key }: SpooledRecord): number {
    if (kind === 'deadLetter') return partitionFor(key, this.#partitions.deadLetter);
    let partition = this.#partitionOfKey.get(key);
    if (partition === undefined) {
      partition = partitionFor(key, this.#partitions.raw);
      if (this.#partitionOfKey.size >= MAX_CACHED_KEYS) this.#partitionOfKey.clear();
      this.#partitionOfKey.set(key, partition);
    }
    return partition;
  }

  /** The throttled topic is none of our business, and we may have no right to see it; but somebody will want to know. */
  async #requireTopics(kafka: AlertKafka): Promise<void> {
    const { topics } = this.#options;
    for (const { topic, problem, fix } of await this.#checkTopics(kafka)) {
      if (topic === topics.throttled && problem === NOT_THERE) continue;
      const message = `topic ${topic} ${problem}; to set it right: ${fix}`;
      if (topic !== topics.throttled) throw new ProducerError('TOPIC_UNUSABLE', message);
      this.#warnOnce({ topic, fix }, message);
    }
  }

  /** To produce, nobody needs the right to read the configuration of topics. */
  async #checkTopics(kafka: AlertKafka): Promise<readonly TopicProblem[]> {
    try {
      return await checkTopics(kafka, this.#options.topics);
    } catch (error) {
      if (!typeOf(error).endsWith('_AUTHORIZATION_FAILED')) throw error;
      this.#warnOnce({}, `no right to look at the configuration of the topics: ${reasonOf(error)}`);
      return [];
    }
  }

  async #fetchPartitions(kafka: AlertKafka): Promise<void> {
    const { topics: names, clock } = this.#options;
    const admin = kafka.admin();
    await admin.connect();
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [names.raw, names.deadLetter] });
      const countOf = (name: string): number => {
        const count = topics.find((topic) => topic.name === name)?.partitions.length ?? 0;
        if (count === 0) throw new ProducerError('TOPIC_UNUSABLE', `topic ${name} has no partitions`);
        return count;
      };
      const next = { raw: countOf(names.raw), deadLetter: countOf(names.deadLetter), atMs: clock.nowMs() };
      if (next.raw !== this.#partitions.raw) this.#partitionOfKey.clear();
      this.#partitions = next;
    } finally {
      await admin.disconnect();
    }
  }

  #warnOnce(fields: object, message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.warn(fields, message);
  }

  #explain(error: unknown, what: string): Error {
    if (error instanceof RegistryUnavailableError) return error;
    if (error instanceof ProducerError && error.code !== 'SEND_TIMEOUT') return error;
    const { message } = kafkaFailure(error, this.#options.brokers);
    return new ProducerError('SEND_FAILED', `${what}: ${message}`, { cause: error });
  }

  /** Not waited for long: a producer in trouble may take its time, and nothing depends on it any more. */
  async #abandon(producer: Producer): Promise<void> {
    const done = producer.disconnect().catch(() => undefined);
    await within(DISCONNECT_TIMEOUT_MS, done, () => undefined);
  }
}

/** The name that Kafka has for an error, or ''. kafkajs wraps it where it gave up. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return 'type' in error ? String(error.type) : typeOf(error.cause);
}

/** The promise's outcome, or what `late` makes after so many milliseconds: an Error is thrown. */
async function within<T>(
  ms: number,
  promise: Promise<T>,
  late: () => Error | undefined,
): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve, reject) => {
    timer = setTimeout(() => {
      const error = late();
      if (error) reject(error);
      else resolve(undefined);
    }, ms);
  });
  // A rejection that comes after the timeout has nobody else to take it.
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
