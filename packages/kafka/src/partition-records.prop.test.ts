// The same records as kafkajs would hand over one by one, whatever was fetched and from wherever.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import type { Batch } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { decodeMessages, type ResponseDecoder } from './fetch-decoder.ts';
import type { FetchedRecord } from './fetched-batches.ts';
import { writableHeaders } from './headers.ts';
import { asPartitionRecords, partitionRecords } from './indexed-fetch.ts';
import { type PartitionRecord, PartitionRecords } from './partition-records.ts';
import { encodeBatch, encodeRecords } from './record-batch.ts';
import { anyBatch, encoded, type LoggedBatch, response } from './testing/fetches.ts';

type Decode = (decoder: ResponseDecoder) => Promise<FetchedRecord[]>;
interface PartitionData {
  readonly partition: number;
  readonly highWatermark: string;
  readonly abortedTransactions: readonly { producerId: string; firstOffset: string }[];
  readonly messages: readonly FetchedRecord[];
}

const require = createRequire(import.meta.url);
const stock = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as Decode;
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => ResponseDecoder;
const KafkaBatch = require('kafkajs/src/consumer/batch') as new (
  topic: string,
  fetchedOffset: string,
  data: PartitionData,
) => Batch;
const never: Decode = () => Promise.reject(new Error('not asked for'));
const GROUP_OF_TESTS = 60_000;

/** Batches as they follow each other in a log, some with a hole before them. */
const log = fc
  .tuple(fc.nat(), fc.array(fc.tuple(fc.constantFrom(0, 0, 3), anyBatch), { maxLength: 5 }))
  .map(([start, batches]) => {
    let next = start;
    return batches.map(([hole, batch]): LoggedBatch => {
      const firstOffset = BigInt(next + hole);
      next += hole + batch.messages.length;
      return { ...batch, firstOffset };
    });
  });

/** Attributes without transactions, as the raw topic has it. */
const plain = log.map((batches) =>
  batches.map((batch) => ({ ...batch, attributes: batch.attributes & ~(16 | 32) })),
);

const bytesOf = (batches: readonly LoggedBatch[]): Buffer => response(Buffer.concat(batches.map(encoded)));

const indexed = (bytes: Buffer): Promise<FetchedRecord[]> =>
  asPartitionRecords(() => decodeMessages(new Decoder(bytes), never));

function recordOf({ offset, timestamp, key, value, headers }: FetchedRecord): PartitionRecord {
  const [at, appendMs] = [Number(offset), Number(timestamp)];
  return {
    offset: at,
    appendMs,
    key,
    value,
    headers: writableHeaders(headers as Batch['messages'][0]['headers']),
  };
}

describe('the records of a partition', () => {
  it(
    'are those that kafkajs would show, from the offset that was asked for',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.oneof(log, plain), fc.nat(60), fc.nat(3), async (batches, skip, aborts) => {
          const bytes = bytesOf(batches);
          const fetchedOffset = String(Number(batches[0]?.firstOffset ?? 0) + skip);
          const abortedTransactions = batches.slice(0, aborts).map(({ producerId, firstOffset }) => ({
            producerId: String(producerId),
            firstOffset: String(firstOffset),
          }));
          const data = { partition: 0, highWatermark: '9999999999', abortedTransactions };
          const expected = new KafkaBatch('t', fetchedOffset, {
            ...data,
            messages: await stock(new Decoder(bytes)),
          });
          const found = new KafkaBatch('t', fetchedOffset, { ...data, messages: await indexed(bytes) });
          const records = partitionRecords(found);
          expect([...records]).toEqual((expected.messages as unknown as FetchedRecord[]).map(recordOf));
          expect(found.lastOffset()).toBe(expected.lastOffset());
          expect(found.isEmpty()).toBe(expected.isEmpty());
          if (expected.isEmpty()) expect(found.firstOffset()).toBe(expected.firstOffset());
        }),
        { numRuns: 500 },
      );
    },
    GROUP_OF_TESTS,
  );

  it('are made for those alone who ask', async () => {
    const several = plain.filter((all) => all.some(({ messages }) => messages.length > 1));
    const [batches] = fc.sample(several, { numRuns: 1, seed: 7 });
    const bytes = bytesOf(batches ?? []);
    expect(await indexed(bytes)).toHaveLength(1);
    const ofOther = await decodeMessages(new Decoder(bytes), never);
    expect(ofOther.length).toBeGreaterThan(1);
    expect(ofOther).toEqual(await stock(new Decoder(bytes)));
  });

  it(
    'are the same in pieces, and put together again',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(plain, { maxLength: 3 }), fc.array(fc.nat(40)), async (logs, cuts) => {
          const parts: PartitionRecords[] = [];
          for (const batches of logs) {
            const [message] = await indexed(bytesOf(batches));
            if (message === undefined) continue;
            const all = partitionRecords({ messages: [message], fetchedOffset: '0' } as unknown as Batch);
            const ends = [...cuts.map((cut) => Math.min(cut, all.length)), all.length].sort((a, b) => a - b);
            ends.forEach((end, at) => parts.push(all.slice(ends[at - 1] ?? 0, end)));
          }
          const joined = PartitionRecords.concat(parts);
          const expected = parts.flatMap((part) => [...part]);
          expect([...joined]).toEqual(expected);
          expect(joined.byteLength()).toBe(
            expected.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0),
          );
          expect([...PartitionRecords.of(expected)]).toEqual(expected);
          const middle = expected[expected.length >> 1]?.offset ?? 0;
          if (expected.length > 0) {
            expect(joined.indexOf(middle)).toBe(expected.findIndex(({ offset }) => offset >= middle));
          }
        }),
        { numRuns: 200 },
      );
    },
    GROUP_OF_TESTS,
  );

  it('keep a header without a value, and several of one name', async () => {
    const headers = { none: undefined, constructor: Buffer.from('c'), many: ['1', '2'] };
    const { bytes } = encodeRecords([{ key: null, value: null, headers }], 5);
    const records = { bytes, count: 1, firstTimestamp: 5n, maxTimestamp: 5n };
    const head = { attributes: 0, producerId: -1n, producerEpoch: 0, firstSequence: 0 };
    const [message] = await indexed(response(encodeBatch(records, bytes, head)));
    const found = partitionRecords({ messages: [message], fetchedOffset: '0' } as unknown as Batch);
    expect(found.record(0)).toEqual({
      offset: 0,
      appendMs: 5,
      key: null,
      value: null,
      headers: {
        none: Buffer.alloc(0),
        constructor: Buffer.from('c'),
        many: [Buffer.from('1'), Buffer.from('2')],
      },
    });
  });

  it.each([
    ['ends within a record', (bytes: Buffer) => bytes.subarray(0, -4)],
    ['has a key that goes on beyond its record', (bytes: Buffer) => changedAt(bytes, 4, 0x7e)],
    ['has more headers than bytes', (bytes: Buffer) => changedAt(bytes, bytes.length - 1, 0x7e)],
  ])('are refused where a batch %s', async (_, broken) => {
    const records = encodeRecords([{ key: Buffer.alloc(3), value: Buffer.alloc(10), timestamp: '1' }], 0);
    const head = { attributes: 0, producerId: -1n, producerEpoch: 0, firstSequence: 0 };
    const bytes = encodeBatch(records, broken(records.bytes), head);
    await expect(indexed(response(bytes))).rejects.toThrow(RangeError);
  });

  it('are refused where a batch claims more than it has bytes for', async () => {
    const records = encodeRecords([{ key: null, value: Buffer.alloc(10), timestamp: '1' }], 0);
    const head = { attributes: 0, producerId: -1n, producerEpoch: 0, firstSequence: 0 };
    const bytes = encodeBatch({ ...records, count: 2_000_000_000 }, records.bytes, head);
    await expect(indexed(response(bytes))).rejects.toThrow(RangeError);
  });
});

function changedAt(bytes: Buffer, at: number, byte: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = byte;
  return changed;
}
