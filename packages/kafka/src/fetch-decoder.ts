// Replaces the decoder of fetched records of kafkajs 2.2.4, which dominates what an alert costs that is dropped.
//
// kafkajs makes three objects and several 64-bit integers for each record on the way to what it returns, and dies of a
// batch of more than about 120 000 records, whose array it spreads into arguments. Here a batch is read in one pass.
// What comes out is the same, which a test compares.
//
// A consumer that asks for it gets all records of a partition in one piece: indexed-fetch.ts.
import { createRequire } from 'node:module';
import {
  type BatchContext,
  batchesIn,
  codecOf,
  type FetchedHeaders,
  type FetchedRecord,
  HEAD_BYTES,
  MAGIC,
  NO_HEADERS,
  readContext,
} from './fetched-batches.ts';
import { indexBatches, wantsIndex } from './indexed-fetch.ts';
import { VarintCursor } from './varint-cursor.ts';

/** kafkajs's decoder of a response, at the size of the records of one partition. */
export interface ResponseDecoder {
  readonly buffer: Buffer;
  offset: number;
}

type DecodeMessages = (decoder: ResponseDecoder) => Promise<FetchedRecord[]>;

const PATCHED_VERSION = '2.2.4';
const DECODER = 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages';
const MAGIC_AT = 16;

const require = createRequire(import.meta.url);
const patched = new WeakSet<DecodeMessages>();

/**
 * Idempotent. Leaves any other version of kafkajs alone. kafkajs loads this part at its first fetch, so that it must be
 * called before that.
 */
export function replaceFetchDecoder(): void {
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== PATCHED_VERSION) return;
  const stock = require(DECODER) as DecodeMessages;
  const loaded = require.cache[require.resolve(DECODER)];
  if (loaded === undefined || patched.has(stock)) return;
  const fast: DecodeMessages = (decoder) => decodeMessages(decoder, stock);
  patched.add(fast);
  loaded.exports = fast;
}

/** The records of one partition; `older` reads what brokers wrote before record batches (magic 0 and 1). */
export async function decodeMessages(
  decoder: ResponseDecoder,
  older: DecodeMessages,
): Promise<FetchedRecord[]> {
  const { buffer, offset } = decoder;
  const size = buffer.readInt32BE(offset);
  const start = offset + 4;
  // As kafkajs: a part that is cut off is none, and what follows is read from here.
  if (size <= 0 || start + size > buffer.length) {
    decoder.offset = start;
    return [];
  }
  if (size > MAGIC_AT && buffer.readInt8(start + MAGIC_AT) !== MAGIC) return older(decoder);
  decoder.offset = start + size;
  const bytes = buffer.subarray(start, start + size);
  return wantsIndex(bytes) ? indexBatches(bytes) : decodeBatches(bytes);
}

async function decodeBatches(bytes: Buffer): Promise<FetchedRecord[]> {
  const records: FetchedRecord[] = [];
  for (const batch of batchesIn(bytes)) {
    const context = readContext(bytes, batch.at);
    const payload = bytes.subarray(batch.at + HEAD_BYTES, batch.end);
    const codec = codecOf(batch);
    const plain = codec === null ? payload : await codec.decompress(payload);
    readRecords(plain, batch.count, context, records);
  }
  return records;
}

/** length | attributes i8 | timestamp delta | offset delta | key | value | headers (lengths and deltas: varints) */
function readRecords(bytes: Buffer, count: number, context: BatchContext, records: FetchedRecord[]): void {
  const cursor = new FieldCursor(bytes, 0);
  const { maxTimestamp, isControlBatch, timestampType } = context;
  // Offsets and times of a real log are exact as numbers.
  const [offset, firstTimestamp] = [Number(context.firstOffset), Number(context.firstTimestamp)];
  for (let index = 0; index < count; index++) {
    const length = cursor.next();
    const end = cursor.at + length;
    if (length < 0 || end > bytes.length) throw new RangeError(`record ${index} of ${count} ends early`);
    const attributes = bytes.readInt8(cursor.at++);
    const timestampDelta = cursor.next();
    const offsetDelta = cursor.next();
    const key = cursor.field();
    const value = cursor.field();
    const headerCount = cursor.next();
    records.push({
      magicByte: MAGIC,
      attributes,
      timestamp: timestampType === 1 ? maxTimestamp : String(firstTimestamp + timestampDelta),
      offset: String(offset + offsetDelta),
      key,
      value,
      headers: headerCount > 0 ? cursor.headers(headerCount) : NO_HEADERS,
      isControlRecord: isControlBatch,
      batchContext: context,
    });
    cursor.at = end;
  }
}

class FieldCursor extends VarintCursor {
  /** What has its length before it; null for a length below 0. */
  field(): Buffer | null {
    const from = this.skipBytes();
    return from < 0 ? null : this.bytes.subarray(from, this.at);
  }

  /** A name that occurs again has all its values, in order. */
  headers(count: number): FetchedHeaders {
    const headers = new Map<string, Buffer | null | (Buffer | null)[]>();
    for (let index = 0; index < count; index++) {
      const name = this.field()?.toString() ?? '';
      const value = this.field();
      const before = headers.get(name);
      headers.set(
        name,
        before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value],
      );
    }
    // A name may be `__proto__`.
    return Object.fromEntries(headers);
  }
}
