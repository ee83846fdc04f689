// The same bytes as kafkajs's own encoder, for any request.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { registerCompression } from './compression.ts';
import { encodeProduce, type ProduceOptions, replaceProduceEncoder } from './produce-encoder.ts';

type Encoded = Promise<{ readonly buffer: Buffer; readonly buf: Buffer; readonly offset: number }>;
type EncodeRequest = (options: ProduceOptions) => { readonly apiVersion: number; encode(): Encoded };

const require = createRequire(import.meta.url);
const stock = require('kafkajs/src/protocol/requests/produce/v3/request') as EncodeRequest;

// Messages without a timestamp get that of the moment.
beforeAll(() => {
  registerCompression();
  vi.useFakeTimers({ now: 1_700_000_000_123, toFake: ['Date'] });
});
afterAll(() => vi.useRealTimers());

const buffer = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));
const bytes = fc.oneof(buffer(300), fc.string({ unit: 'grapheme', maxLength: 20 }), fc.constant(null));
const header = fc.oneof(buffer(10), fc.string({ unit: 'grapheme', maxLength: 10 }));
const headers = fc.dictionary(
  fc.string({ maxLength: 8 }),
  fc.oneof(header, fc.array(header, { maxLength: 3 })),
);
const timestamp = fc.integer({ min: 1_000_000_000_000, max: 9_000_000_000_000 }).map(String);
const message = fc.record(
  { key: bytes, value: bytes, headers, timestamp },
  { requiredKeys: ['key', 'value'] },
);

const request = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(60_000),
  transactionalId: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 })),
  producerId: fc.oneof(fc.nat().map(String), fc.constant('-1')),
  producerEpoch: fc.nat(32_767),
  compression: fc.constantFrom(kafkajs.CompressionTypes.None, kafkajs.CompressionTypes.GZIP),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 10 }),
      partitions: fc.array(
        fc.record({
          partition: fc.nat(100),
          firstSequence: fc.nat(),
          messages: fc.array(message, { minLength: 1, maxLength: 8 }),
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 2 },
  ),
});

it('writes the bytes that kafkajs would write', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (options) => {
      const { buf } = await encodeProduce(options);
      const { buffer: expected } = await stock(options).encode();
      expect(buf.equals(expected)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

it('writes them for a thousand records of two minutes, too', async () => {
  const messages = Array.from({ length: 1000 }, (_, index) => ({
    key: Buffer.alloc(64, index),
    value: Buffer.alloc(900, index),
    timestamp: String(1_700_000_000_000 + ((index * 7919) % 120_000)),
  }));
  const options = {
    acks: -1,
    timeout: 1,
    topicData: [{ topic: 't', partitions: [{ partition: 1, messages }] }],
  };
  const { buffer: expected } = await stock(options).encode();
  expect((await encodeProduce(options)).buf.equals(expected)).toBe(true);
});

it('takes the place of the encoder for every version that brokers speak, once', async () => {
  replaceProduceEncoder();
  const versions = ['v3', 'v4', 'v5', 'v6', 'v7'].map((version) => {
    const path = `kafkajs/src/protocol/requests/produce/${version}/request`;
    return (require(path) as EncodeRequest)({ acks: -1, timeout: 1, topicData: [] });
  });
  expect(versions.map(({ apiVersion }) => apiVersion)).toEqual([3, 4, 5, 6, 7]);
  for (const version of versions) {
    const { buf, offset } = await version.encode();
    expect(offset).toBe(buf.length);
  }
  const replaced: unknown = require('kafkajs/src/protocol/requests/produce/v3/request');
  expect(replaced).not.toBe(stock);
  replaceProduceEncoder();
  expect(require('kafkajs/src/protocol/requests/produce/v3/request')).toBe(replaced);
});
