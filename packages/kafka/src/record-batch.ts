// Writes a Kafka record batch (magic 2) in one piece: sizes first, then the bytes, then the checksum.
//
//   batch   first offset i64 | length i32 | leader epoch i32 | magic i8 | crc32c u32 | (what the checksum covers:)
//           attributes i16 | last offset delta i32 | first, max timestamp i64 | producer id i64, epoch i16 | first sequence i32
//           | count i32 | records
//   record  length | attributes i8 | timestamp delta | offset delta | key | value | headers     (lengths and deltas: varints)
//
// Format: "Record Batch" in Apache Kafka's documentation of its message format.
import { crc32c } from '@node-rs/crc32';
import type { IHeaders, Message } from 'kafkajs';

type Bytes = Buffer | string | null | undefined;

export interface RecordBatchHead {
  /** Codec number in the lowest three bits; 16 in a transaction. */
  readonly attributes: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

/** Where records were written to, and their place in it. */
interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

export interface Records {
  readonly bytes: Buffer;
  readonly count: number;
  readonly firstTimestamp: bigint;
  readonly maxTimestamp: bigint;
}

const BATCH_HEAD_BYTES = 61;
const CRC_AT = 17;
const CRC_FROM = 21;
const MAGIC = 2;

/** The records alone, as they are compressed; `nowMs` is the timestamp of a message that has none. */
export function encodeRecords(messages: readonly Message[], nowMs: number): Records {
  const { first, max } = timestampsOf(messages, nowMs);
  const sizes = new Array<number>(messages.length);
  const deltas = new Array<number>(messages.length);
  let total = 0;
  for (const [index, message] of messages.entries()) {
    const delta = Number(message.timestamp ?? nowMs) - first;
    const size = bodySize(message, index, delta);
    deltas[index] = delta;
    sizes[index] = size;
    total += varintSize(size) + size;
  }
  const cursor = { bytes: Buffer.allocUnsafe(total), at: 0 };
  for (const [index, message] of messages.entries()) {
    writeVarint(cursor, sizes[index] as number);
    cursor.bytes[cursor.at++] = 0;
    writeVarint(cursor, deltas[index] as number);
    writeVarint(cursor, index);
    writeBytes(cursor, message.key);
    writeBytes(cursor, message.value);
    writeHeaders(cursor, message.headers);
  }
  return {
    bytes: cursor.bytes,
    count: messages.length,
    firstTimestamp: BigInt(first),
    maxTimestamp: BigInt(max),
  };
}

/** The whole batch; `payload` is the records as they are, or compressed as the attributes say. */
export function encodeBatch(records: Records, payload: Buffer, head: RecordBatchHead): Buffer {
  const batch = Buffer.allocUnsafe(BATCH_HEAD_BYTES + payload.length);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(0, 12);
  batch.writeInt8(MAGIC, 16);
  batch.writeInt16BE(head.attributes, CRC_FROM);
  batch.writeInt32BE(records.count - 1, 23);
  batch.writeBigInt64BE(records.firstTimestamp, 27);
  batch.writeBigInt64BE(records.maxTimestamp, 35);
  batch.writeBigInt64BE(head.producerId, 43);
  batch.writeInt16BE(head.producerEpoch, 51);
  batch.writeInt32BE(head.firstSequence, 53);
  batch.writeInt32BE(records.count, 57);
  payload.copy(batch, BATCH_HEAD_BYTES);
  batch.writeUInt32BE(crc32c(batch.subarray(CRC_FROM)), CRC_AT);
  return batch;
}

function timestampsOf(messages: readonly Message[], nowMs: number): { first: number; max: number } {
  let [first, max] = [Infinity, -Infinity];
  for (const { timestamp } of messages) {
    if ((timestamp ?? '') === '') continue;
    const ms = Number(timestamp);
    if (ms < first) first = ms;
    if (ms > max) max = ms;
  }
  return first === Infinity ? { first: nowMs, max: nowMs } : { first, max };
}

function bodySize({ key, value, headers }: Message, index: number, delta: number): number {
  return 1 + varintSize(delta) + varintSize(index) + bytesSize(key) + bytesSize(value) + headersSize(headers);
}

function bytesSize(bytes: Bytes): number {
  if (bytes === null || bytes === undefined) return 1;
  const length = Buffer.isBuffer(bytes) ? bytes.length : Buffer.byteLength(bytes);
  return varintSize(length) + length;
}

function headersSize(headers: IHeaders | undefined): number {
  if (headers === undefined) return 1;
  let [count, size] = [0, 0];
  for (const [name, value] of headerList(headers)) {
    count += 1;
    size += bytesSize(name) + bytesSize(value);
  }
  return varintSize(count) + size;
}

function* headerList(headers: IHeaders): Generator<[name: string, value: Buffer | string | undefined]> {
  for (const [name, value] of Object.entries(headers)) {
    if (Array.isArray(value)) for (const one of value) yield [name, one];
    else yield [name, value];
  }
}

function writeHeaders(cursor: Cursor, headers: IHeaders | undefined): void {
  if (headers === undefined) {
    writeVarint(cursor, 0);
    return;
  }
  const list = [...headerList(headers)];
  writeVarint(cursor, list.length);
  for (const [name, value] of list) {
    writeBytes(cursor, name);
    writeBytes(cursor, value);
  }
}

function writeBytes(cursor: Cursor, bytes: Bytes): void {
  if (bytes === null || bytes === undefined) {
    writeVarint(cursor, -1);
  } else if (Buffer.isBuffer(bytes)) {
    writeVarint(cursor, bytes.length);
    cursor.at += bytes.copy(cursor.bytes, cursor.at);
  } else {
    writeVarint(cursor, Buffer.byteLength(bytes));
    cursor.at += cursor.bytes.write(bytes, cursor.at);
  }
}

/** Zigzag: the sign becomes the lowest bit. Exact for all numbers below 2^52, either sign. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintSize(value: number): number {
  let size = 1;
  for (let left = zigzag(value); left >= 0x80; left = Math.floor(left / 0x80)) size += 1;
  return size;
}

function writeVarint(cursor: Cursor, value: number): void {
  const { bytes } = cursor;
  let left = zigzag(value);
  while (left >= 0x80) {
    bytes[cursor.at++] = (left % 0x80) | 0x80;
    left = Math.floor(left / 0x80);
  }
  bytes[cursor.at++] = left;
}
