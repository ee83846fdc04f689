import type { Transaction } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { readTopic } from './read-topic.ts';
import { testStack } from './stack.ts';
import { createTestTopics, testKafka, uniqueName } from './topics.ts';
import { waitFor } from './wait-for.ts';

describe('the stack of this run', () => {
  it('has three addresses', () => {
    expect(Object.keys(testStack()).sort()).toEqual(['KAFKA_BROKERS', 'REDIS_URL', 'SCHEMA_REGISTRY_URL']);
  });
});

describe('createTestTopics', () => {
  it('makes three topics that nobody else has', async () => {
    const [one, other] = [await createTestTopics(2), await createTestTopics()];
    const all = [one, other].flatMap(({ raw, throttled, deadLetter }) => [raw, throttled, deadLetter]);
    expect(new Set(all).size).toBe(6);
    expect(await readTopic(one.throttled)).toEqual([]);
  });
});

describe('readTopic', () => {
  it('reads everything, of every partition, with keys, values, headers and times', async () => {
    const { raw } = await createTestTopics(2);
    const producer = testKafka().producer();
    await producer.connect();
    await producer.send({
      topic: raw,
      messages: [
        { partition: 1, key: 'k', value: 'v', headers: { why: 'so' } },
        { partition: 0, key: null, value: null },
        { partition: 1, value: Buffer.alloc(0) },
      ],
    });
    await producer.disconnect();
    const records = await readTopic(raw);
    expect(records.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
    ]);
    expect(records[0]).toMatchObject({ key: null, value: null });
    expect(records[1]).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('v') });
    expect(records[1]?.headers['why']).toEqual(Buffer.from('so'));
    expect(records[1]?.timestampMs).toBeGreaterThan(Date.UTC(2020));
  });

  it('reads topics that are larger than one answer of the broker', async () => {
    const { raw } = await createTestTopics();
    const producer = testKafka().producer();
    await producer.connect();
    const value = Buffer.alloc(900_000, 'x');
    for (let sent = 0; sent < 20; sent++) await producer.send({ topic: raw, messages: [{ value }] });
    await producer.disconnect();
    const records = await readTopic(raw);
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, offset) => offset));
  });

  it('sees what is committed, however transactions overlap, and nothing behind an open one', async () => {
    const { raw } = await createTestTopics();
    const begin = async (): Promise<Transaction> => {
      const producer = testKafka().producer({ transactionalId: uniqueName('tx'), maxInFlightRequests: 1 });
      await producer.connect();
      return producer.transaction();
    };
    const send = (transaction: Transaction, value: string): Promise<unknown> =>
      transaction.send({ topic: raw, messages: [{ value }] });
    const read = async (isolation: 'read_committed' | 'read_uncommitted'): Promise<(string | undefined)[]> =>
      (await readTopic(raw, { isolation })).map(({ value }) => value?.toString());
    const [first, second, third] = [await begin(), await begin(), await begin()];
    await send(first, 'aborted');
    await send(second, 'aborted as well');
    await send(third, 'committed');
    expect(await read('read_committed')).toEqual([]);
    await third.commit();
    // The list of the broker is in the order of the markers: the transaction that began last comes first.
    await second.abort();
    await first.abort();
    const seen = (count: number) => async (): Promise<boolean> =>
      (await read('read_committed')).length === count;
    // The broker answers before it has written the markers.
    await waitFor('the first commit to be seen', seen(1));
    expect(await read('read_committed')).toEqual(['committed']);
    expect(await read('read_uncommitted')).toEqual(['aborted', 'aborted as well', 'committed']);
    const open = await begin();
    await send(open, 'open');
    const last = await begin();
    await send(last, 'behind');
    await last.commit();
    await waitFor('the record behind', async () => (await read('read_uncommitted')).length === 5);
    expect(await read('read_committed')).toEqual(['committed']);
    await open.abort();
    await waitFor('the second commit to be seen', seen(2));
    expect(await read('read_committed')).toEqual(['committed', 'behind']);
  });
});
