// As much of Kafka's protocol as a proxy needs that answers in a broker's place: request headers, and answers that
// are errors. Only versions without tagged fields, which are all that kafkajs speaks.

export const API = {
  produce: 0,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const;

export type ApiName = keyof typeof API;

export const ERROR = {
  NONE: 0,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  CONCURRENT_TRANSACTIONS: 51,
  UNKNOWN_PRODUCER_ID: 59,
  PRODUCER_FENCED: 90,
} as const;

export type ErrorName = keyof typeof ERROR;

export interface KafkaRequest {
  /** Undefined where it is none of those that tests interfere with. */
  readonly api: ApiName | undefined;
  readonly version: number;
  readonly correlationId: number;
  readonly body: Buffer;
}

const NAMES = new Map<number, ApiName>(Object.entries(API).map(([name, key]) => [key, name as ApiName]));

/** From a frame without its length. */
export function parseRequest(frame: Buffer): KafkaRequest {
  const reader = new Reader(frame);
  const api = NAMES.get(reader.int16());
  const version = reader.int16();
  const correlationId = reader.int32();
  reader.string();
  return { api, version, correlationId, body: frame.subarray(reader.at) };
}

/** A whole frame, with its length, that answers every part of the request with that error. */
export function errorAnswer(request: KafkaRequest, error: ErrorName): Buffer {
  const body = errorBody(request, ERROR[error]);
  return Buffer.concat([int32(body.length + 4), int32(request.correlationId), body]);
}

const NOT_THROTTLED = int32(0);

function errorBody({ api, version, body }: KafkaRequest, code: number): Buffer {
  const reader = new Reader(body);
  const error = int16(code);
  switch (api) {
    case 'initProducerId':
      return Buffer.concat([NOT_THROTTLED, error, int64(-1n), int16(-1)]);
    case 'addOffsetsToTxn':
    case 'endTxn':
      return Buffer.concat([NOT_THROTTLED, error]);
    case 'addPartitionsToTxn': {
      reader.string();
      reader.skip(PRODUCER_BYTES);
      const topics = reader.array(() => topicOf(reader, () => reader.int32()));
      return Buffer.concat([NOT_THROTTLED, answers(topics, () => error)]);
    }
    case 'txnOffsetCommit': {
      reader.string();
      reader.string();
      reader.skip(PRODUCER_BYTES);
      const topics = reader.array(() => topicOf(reader, () => offsetPartition(reader)));
      return Buffer.concat([NOT_THROTTLED, answers(topics, () => error)]);
    }
    case 'produce': {
      // Transactional id, acks, timeout.
      reader.string();
      reader.skip(6);
      const topics = reader.array(() => topicOf(reader, () => recordsPartition(reader)));
      const logStart = version >= 5 ? int64(-1n) : Buffer.alloc(0);
      const rest = Buffer.concat([int64(-1n), int64(-1n), logStart]);
      return Buffer.concat([answers(topics, () => Buffer.concat([error, rest])), NOT_THROTTLED]);
    }
    case undefined:
      throw new Error('only the requests of transactions can be answered');
  }
}

/** Producer id and epoch. */
const PRODUCER_BYTES = 10;

interface AskedTopic {
  readonly name: string;
  readonly partitions: readonly number[];
}

function topicOf(reader: Reader, partition: () => number): AskedTopic {
  return { name: reader.string(), partitions: reader.array(partition) };
}

/** Partition, offset, metadata. */
function offsetPartition(reader: Reader): number {
  const partition = reader.int32();
  reader.skip(8);
  reader.string();
  return partition;
}

function recordsPartition(reader: Reader): number {
  const partition = reader.int32();
  reader.skip(Math.max(0, reader.int32()));
  return partition;
}

function answers(topics: readonly AskedTopic[], answer: () => Buffer): Buffer {
  const parts = topics.map(({ name, partitions }) => {
    const text = Buffer.from(name);
    const each = partitions.map((partition) => Buffer.concat([int32(partition), answer()]));
    return Buffer.concat([int16(text.length), text, int32(partitions.length), ...each]);
  });
  return Buffer.concat([int32(topics.length), ...parts]);
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.at += 2;
    return this.#bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.#bytes.readInt32BE(this.at - 4);
  }

  skip(bytes: number): void {
    this.at += bytes;
  }

  /** Null reads as empty. */
  string(): string {
    const length = Math.max(0, this.int16());
    this.at += length;
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }

  array<T>(element: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, element);
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
