// The record batches in what was fetched of a partition: where they are, what they say of their records, unpacking.
import { createRequire } from 'node:module';
import type { BatchFacts } from './record-index.ts';

/** A record as kafkajs gives it to consumers. */
export interface FetchedRecord {
  readonly magicByte: number;
  readonly attributes: number;
  readonly timestamp: string;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: FetchedHeaders;
  readonly isControlRecord: boolean;
  readonly batchContext: BatchContext;
}

export type FetchedHeaders = Readonly<Record<string, Buffer | null | (Buffer | null)[]>>;

/** What kafkajs tells of the batch in which a record came. */
export interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly maxTimestamp: string;
  readonly timestampType: number;
  readonly magicByte: number;
}

interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>;
}

interface CompressionModule {
  lookupCodecByAttributes(attributes: number): Codec | null;
}

export const MAGIC = 2;
/** First offset and length, which the length does not count. */
const PREFIX_BYTES = 12;
export const HEAD_BYTES = 61;
const LOG_APPEND_TIME = 8;
export const TRANSACTIONAL = 16;
export const CONTROL = 32;
export const NO_HEADERS: FetchedHeaders = Object.freeze({});

const require = createRequire(import.meta.url);

export interface BatchPlace {
  readonly at: number;
  readonly end: number;
  readonly attributes: number;
  readonly count: number;
}

/** The last batch may be cut off, since a fetch is bounded in bytes. Throws RangeError where one is shorter than its head. */
export function* batchesIn(bytes: Buffer): Generator<BatchPlace> {
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    const end = at + PREFIX_BYTES + bytes.readInt32BE(at + 8);
    if (end < at + HEAD_BYTES) throw new RangeError('a record batch that is shorter than its head');
    if (end > bytes.length) return;
    yield { at, end, attributes: bytes.readInt16BE(at + 21), count: bytes.readInt32BE(at + 57) };
    at = end;
  }
}

/** What the head of a batch says of all its records. */
export function factsOf(bytes: Buffer, { at, attributes, count }: BatchPlace): BatchFacts {
  const stamped = (attributes & LOG_APPEND_TIME) > 0;
  return {
    count,
    firstOffset: Number(bytes.readBigInt64BE(at)),
    firstMs: Number(bytes.readBigInt64BE(at + 27)),
    appendMs: stamped ? Number(bytes.readBigInt64BE(at + 35)) : undefined,
  };
}

/** Null where the records lie in the batch as they are, or there are none. */
export function codecOf({ attributes, count }: BatchPlace): Codec | null {
  if (count <= 0) return null;
  compression ??= require('kafkajs/src/protocol/message/compression') as CompressionModule;
  return compression.lookupCodecByAttributes(attributes);
}

let compression: CompressionModule | undefined;

export function readContext(bytes: Buffer, at: number): BatchContext {
  const attributes = bytes.readInt16BE(at + 21);
  return {
    firstOffset: String(bytes.readBigInt64BE(at)),
    firstTimestamp: String(bytes.readBigInt64BE(at + 27)),
    partitionLeaderEpoch: bytes.readInt32BE(at + 12),
    inTransaction: (attributes & TRANSACTIONAL) > 0,
    isControlBatch: (attributes & CONTROL) > 0,
    lastOffsetDelta: bytes.readInt32BE(at + 23),
    producerId: String(bytes.readBigInt64BE(at + 43)),
    producerEpoch: bytes.readInt16BE(at + 51),
    firstSequence: bytes.readInt32BE(at + 53),
    maxTimestamp: String(bytes.readBigInt64BE(at + 35)),
    timestampType: (attributes & LOG_APPEND_TIME) > 0 ? 1 : 0,
    magicByte: MAGIC,
  };
}
