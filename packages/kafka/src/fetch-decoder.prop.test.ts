// The same records as kafkajs's own decoder, for any log.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessages, replaceFetchDecoder, type ResponseDecoder } from './fetch-decoder.ts';
import type { FetchedRecord } from './fetched-batches.ts';
import { encodeBatch, encodeRecords } from './record-batch.ts';
import { anyBatch as batch, anyBuffer as buffer, encoded, response } from './testing/fetches.ts';

type Decode = (decoder: ResponseDecoder) => Promise<FetchedRecord[]>;

const require = createRequire(import.meta.url);
const stock = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as Decode;
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => ResponseDecoder;
const older: Decode = () => Promise.reject(new Error('not asked for'));

async function both(bytes: Buffer): Promise<void> {
  const [expected, found] = [new Decoder(bytes), new Decoder(bytes)];
  expect(await decodeMessages(found, older)).toEqual(await stock(expected));
  expect(found.offset).toBe(expected.offset);
}

describe('decoding what was fetched', () => {
  it('gives the records that kafkajs would give', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 4 }), buffer(40), async (batches, after) => {
        await both(response(Buffer.concat(batches.map(encoded)), after));
      }),
      { numRuns: 500 },
    );
  });

  it('leaves out a batch that is cut off, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 3 }), fc.nat(), async (batches, cut) => {
        const whole = Buffer.concat(batches.map(encoded));
        const kept = 61 + (cut % (whole.length - 60));
        await both(response(whole.subarray(0, kept)));
      }),
      { numRuns: 500 },
    );
  });

  it('takes a response that ends within the records for none', async () => {
    const [one] = fc.sample(batch, { numRuns: 1, seed: 1 });
    if (one === undefined) throw new Error('no sample');
    await both(response(encoded(one)).subarray(0, -1));
  });

  it('leaves batches of older formats to kafkajs', async () => {
    const old = response(Buffer.alloc(30));
    const marker: FetchedRecord[] = [];
    expect(await decodeMessages(new Decoder(old), () => Promise.resolve(marker))).toBe(marker);
  });

  it('bears a batch of more records than a call takes arguments', async () => {
    const messages = Array.from({ length: 200_000 }, () => ({ key: null, value: null, timestamp: '1' }));
    const head = { attributes: 0, producerId: -1n, producerEpoch: 0, firstSequence: 0 };
    const records = encodeRecords(messages, 0);
    const found = await decodeMessages(
      new Decoder(response(encodeBatch(records, records.bytes, head))),
      older,
    );
    expect(found).toHaveLength(messages.length);
    expect(found.at(-1)?.offset).toBe('199999');
  });

  it('refuses a record that ends beyond its batch', async () => {
    const records = encodeRecords([{ key: null, value: Buffer.alloc(10), timestamp: '1' }], 0);
    const head = { attributes: 0, producerId: -1n, producerEpoch: 0, firstSequence: 0 };
    const bytes = encodeBatch(records, records.bytes.subarray(0, -4), head);
    await expect(decodeMessages(new Decoder(response(bytes)), older)).rejects.toThrow(RangeError);
  });
});

it('takes the place of that decoder, once', () => {
  const path = 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages';
  replaceFetchDecoder();
  const taken = require(path) as Decode;
  expect(taken).not.toBe(stock);
  replaceFetchDecoder();
  expect(require(path)).toBe(taken);
});
