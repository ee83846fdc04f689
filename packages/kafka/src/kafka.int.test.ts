// The topics and the codecs on a real broker.
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { describe, expect, inject, test } from 'vitest';
import { abortHanging } from './abort-hanging.ts';
import { createKafka, type AlertKafka } from './client.ts';
import { checkTopics, createTopics, NOT_THERE, type TopicNames } from './topics.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    stack: { KAFKA_BROKERS: string; SCHEMA_REGISTRY_URL: string; REDIS_URL: string };
  }
}

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function client(): AlertKafka {
  return createKafka({ brokers: inject('stack').KAFKA_BROKERS.split(','), clientId: 'kafka-test' }, silent);
}

function newNames(): TopicNames {
  const id = randomUUID();
  return {
    raw: `kafka-test-${id}.raw`,
    throttled: `kafka-test-${id}.throttled`,
    deadLetter: `kafka-test-${id}.dead`,
  };
}

describe('createTopics and checkTopics', () => {
  test('given no topics, when made by two at once, then they are as they must be, and made once', async () => {
    const names = newNames();
    expect((await checkTopics(client(), names)).map(({ problem }) => problem)).toEqual(
      Array(3).fill(NOT_THERE),
    );
    const size = { partitions: 3, replication: 1 };
    const made = await Promise.all([
      createTopics(client(), names, size),
      createTopics(client(), names, size),
    ]);
    expect(made.flat().sort()).toEqual([names.raw, names.throttled, names.deadLetter].sort());
    expect(await checkTopics(client(), names)).toEqual([]);
    expect(await createTopics(client(), names, { partitions: 9, replication: 1 })).toEqual([]);
  });

  test('given a raw topic of other partitions and settings, then new topics follow it, and what is wrong is told', async () => {
    const names = newNames();
    const admin = client().admin();
    await admin.connect();
    await admin.createTopics({
      topics: [
        { topic: names.raw, numPartitions: 2, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] },
      ],
      waitForLeaders: true,
    });
    await admin.disconnect();
    expect(await createTopics(client(), names, { partitions: 5, replication: 1 })).toEqual([
      names.throttled,
      names.deadLetter,
    ]);
    const problems = await checkTopics(client(), names);
    expect(problems.map(({ topic }) => topic)).toEqual([names.raw, names.raw]);
    expect(problems.map(({ problem }) => problem)).toEqual([
      'cleanup.policy is compact, but must be delete',
      'message.timestamp.type is CreateTime, but must be LogAppendTime',
    ]);
  });
});

test('given batches compressed in every way, when read, then the records are the same, and Node warns of nothing', async () => {
  const warnings: string[] = [];
  process.on('warning', (warning) => warnings.push(warning.name));
  const names = newNames();
  const kafka = client();
  await createTopics(kafka, names, { partitions: 1, replication: 1 });
  const producer = kafka.producer();
  await producer.connect();
  const { None, GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes;
  for (const compression of [None, GZIP, Snappy, LZ4, ZSTD])
    await producer.send({
      topic: names.raw,
      compression,
      messages: [{ key: 'k', value: `by ${compression} `.repeat(100) }],
    });
  await producer.disconnect();

  const read: string[] = [];
  const consumer = client().consumer({ groupId: names.raw });
  await consumer.connect();
  await consumer.subscribe({ topics: [names.raw], fromBeginning: true });
  await new Promise<void>((done) => {
    void consumer.run({
      eachMessage: ({ message }) => {
        read.push(message.value?.toString().slice(0, 4) ?? '');
        if (read.length === 5) done();
        return Promise.resolve();
      },
    });
  });
  await consumer.disconnect();
  expect(read).toEqual(['by 0', 'by 1', 'by 2', 'by 3', 'by 4']);
  expect(warnings).toEqual([]);
});

test('given a transaction that is open, when what hangs is aborted, then nothing of it counts, and empty partitions stay so', async () => {
  const names = newNames();
  const kafka = client();
  await createTopics(kafka, names, { partitions: 1, replication: 1 });
  const group = `kafka-test-${randomUUID()}`;
  const producer = kafka.producer({ transactionalId: group, maxInFlightRequests: 1 });
  const admin = kafka.admin();
  await Promise.all([producer.connect(), admin.connect()]);
  const ends = async (): Promise<(string | undefined)[]> => {
    const all = await Promise.all([names.throttled, names.deadLetter].map((t) => admin.fetchTopicOffsets(t)));
    return all.map(([first]) => first?.high);
  };
  try {
    const open = await producer.transaction();
    await open.send({ topic: names.throttled, messages: [{ value: 'hangs' }] });
    const topics = [{ topic: names.raw, partitions: [{ partition: 0, offset: '1' }] }];
    await open.sendOffsets({ consumerGroupId: group, topics });
    const partitions = [names.throttled, names.deadLetter].map((topic) => ({ topic, partition: 0 }));
    const options = { transactionalId: group, transactionTimeoutMs: 10_000, group, partitions };
    await abortHanging(kafka, options);
    // The record and two markers: the transaction was open, and so it was ended once before.
    expect(await ends()).toEqual(['3', '0']);
    await expect(open.commit()).rejects.toThrow();
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [names.raw] });
    expect(offsets?.partitions[0]?.offset).toBe('-1');
    await abortHanging(kafka, options);
    expect(await ends()).toEqual(['4', '0']);
  } finally {
    await Promise.all([producer.disconnect(), admin.disconnect()]);
  }
});
