// How the outputs of one transaction are cut into produce requests.

import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';

import type { OutputRecord } from '../ports.ts';
import { chunks, CommitTimeoutError, KafkaTransactions, type ProducerSource } from './kafka-transactions.ts';

const BROKER_MAX_BYTES = 1024 * 1024;

function output(bytes: number, n = 0): OutputRecord {
  const record = { topic: n % 3 === 0 ? 'deadLetter' : 'throttled', key: Buffer.from('c1') } as const;
  return { ...record, value: Buffer.alloc(bytes), headers: undefined, timestampMs: n };
}

describe('the pieces of a transaction', () => {
  it('are none where nothing goes out', () => {
    expect([...chunks([])]).toEqual([]);
  });

  it('hold all records in their order, whatever topic they go to', () => {
    const outputs = Array.from({ length: 2500 }, (_, n) => output((n * 7919) % 5000, n));
    expect([...chunks(outputs)].flat()).toEqual(outputs);
  });

  it('stay below what a broker takes, and small enough for kafkajs', () => {
    const headers = { trace: Buffer.alloc(60_000), again: ['x'.repeat(2000), 'y'.repeat(2000)] };
    for (const more of [undefined, headers]) {
      for (const bytes of [0, 100, 1000, 200_000]) {
        for (const chunk of chunks(
          Array.from({ length: 2000 }, () => ({ ...output(bytes), headers: more })),
        )) {
          const size = chunk.length * (bytes + 2 + (more === undefined ? 0 : 64_000));
          expect(size).toBeLessThan(BROKER_MAX_BYTES);
          expect(chunk.length).toBeLessThanOrEqual(1000);
          expect(chunk.length).toBeGreaterThan(0);
        }
      }
    }
  });

  it('are as few as that allows', () => {
    expect([...chunks(Array.from({ length: 400 }, () => output(100)))]).toHaveLength(1);
    const large = [output(500_000), output(500_000), output(100)];
    expect([...chunks(large)].map((chunk) => chunk.length)).toEqual([1, 2]);
  });

  it('hold one record that is too large for company by itself', () => {
    const three = [output(10), output(950_000), output(10)];
    expect([...chunks(three)].map((chunk) => chunk.length)).toEqual([1, 1, 1]);
  });
});

describe('a transaction on which the broker never answers', () => {
  it('is given up', async () => {
    const never = new Promise<never>(() => undefined);
    const transaction = { send: () => never, sendOffsets: () => never, commit: () => never };
    const transactions = new KafkaTransactions({
      kafka: {
        producer: () => ({ transaction: () => Promise.resolve(transaction) }),
      } as unknown as ProducerSource,
      transactionalId: 'group/raw/0',
      partition: 0,
      group: 'group',
      rawTopic: 'raw',
      topics: { throttled: 'throttled', deadLetter: 'dead-letter' },
      transactionTimeoutMs: 10,
      commitTimeoutMs: 20,
      compression: kafkajs.CompressionTypes.None,
      abortHanging: () => Promise.resolve(),
      stableEnd: () => Promise.resolve(0),
    });
    const position = { offset: 1, metadata: '' };
    await expect(transactions.commit([output(1)], position)).rejects.toThrow(CommitTimeoutError);
  });
});
