// Whatever a broker may answer to a fetch, for tests of what is read from it.
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { encodeBatch, encodeRecords } from '../record-batch.ts';

const GZIP = 1;
export const anyBuffer = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));
const bytes = fc.option(anyBuffer(300));
/** With a name that every object has, `toString`, kafkajs gives a function among the values. */
const name = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => !(text in Object.prototype));
const headers = fc.dictionary(name, fc.oneof(anyBuffer(10), fc.array(anyBuffer(10), { maxLength: 3 })));
const timestamp = fc.integer({ min: 1_000_000_000_000, max: 9_000_000_000_000 }).map(String);
const message = fc.record({ key: bytes, value: bytes, headers, timestamp });

export const anyBatch = fc.record({
  messages: fc.array(message, { minLength: 1, maxLength: 8 }),
  firstOffset: fc.nat().map(BigInt),
  /** Codec; time of the append, transaction, control records. */
  attributes: fc
    .constantFrom(0, GZIP)
    .chain((codec) => fc.subarray([8, 16, 32]).map((bits) => bits.reduce((a, b) => a + b, codec))),
  producerId: fc.nat().map(BigInt),
  producerEpoch: fc.nat(32_767),
  firstSequence: fc.nat(),
});

export type LoggedBatch = typeof anyBatch extends fc.Arbitrary<infer T> ? T : never;

export function encoded({ messages, firstOffset, ...head }: LoggedBatch): Buffer {
  const records = encodeRecords(messages, 0);
  const isCompressed = (head.attributes & GZIP) === GZIP;
  const bytes = encodeBatch(records, isCompressed ? gzipSync(records.bytes) : records.bytes, head);
  bytes.writeBigInt64BE(firstOffset, 0);
  return bytes;
}

/** As in a fetch response: size, then the bytes, then what comes after them. */
export function response(records: Buffer, after = Buffer.alloc(0)): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(records.length);
  return Buffer.concat([size, records, after]);
}
