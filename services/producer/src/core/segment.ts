// Records as the spool stores them: those of one transaction in one piece. A row for each would cost several times as
// much, to write as well as to delete.
//
//   record = kind (1 byte), length of key (4), of headers (4), of value (4), key, headers, value
//   A length of 0xffffffff: there is none. Lengths are big-endian, texts are UTF-8.
import { RECORD_KINDS, type NewRecord } from './record.ts';

const HEAD_BYTES = 13;
const NONE = 0xffff_ffff;

export function writeSegment(records: readonly NewRecord[]): Buffer {
  let size = 0;
  for (const record of records) size += sizeOf(record);
  const segment = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { kind, key, value, headers } of records) {
    const start = at + HEAD_BYTES;
    const keyBytes = segment.write(key, start);
    const headersBytes = headers === null ? 0 : segment.write(headers, start + keyBytes);
    segment.writeUInt8(RECORD_KINDS.indexOf(kind), at);
    segment.writeUInt32BE(keyBytes, at + 1);
    segment.writeUInt32BE(headers === null ? NONE : headersBytes, at + 5);
    segment.writeUInt32BE(value === null ? NONE : value.length, at + 9);
    at = start + keyBytes + headersBytes;
    if (value === null) continue;
    segment.set(value, at);
    at += value.length;
  }
  return segment;
}

/** The values are views into the segment. Throws RangeError for bytes that writeSegment() did not make. */
export function readSegment(bytes: Uint8Array): NewRecord[] {
  const segment = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: NewRecord[] = [];
  for (let at = 0; at < segment.length;) {
    const kind = RECORD_KINDS[segment.readUInt8(at)];
    const keyBytes = segment.readUInt32BE(at + 1);
    const headersBytes = segment.readUInt32BE(at + 5);
    const valueBytes = segment.readUInt32BE(at + 9);
    const keyAt = at + HEAD_BYTES;
    const headersAt = keyAt + keyBytes;
    const valueAt = headersAt + lengthOf(headersBytes);
    at = valueAt + lengthOf(valueBytes);
    if (kind === undefined || at > segment.length) throw new RangeError('the bytes are no segment');
    records.push({
      kind,
      key: segment.toString('utf8', keyAt, headersAt),
      headers: headersBytes === NONE ? null : segment.toString('utf8', headersAt, valueAt),
      value: valueBytes === NONE ? null : segment.subarray(valueAt, at),
    });
  }
  return records;
}

function lengthOf(field: number): number {
  return field === NONE ? 0 : field;
}

function sizeOf({ key, value, headers }: NewRecord): number {
  const headersBytes = headers === null ? 0 : Buffer.byteLength(headers);
  return HEAD_BYTES + Buffer.byteLength(key) + headersBytes + (value?.length ?? 0);
}
