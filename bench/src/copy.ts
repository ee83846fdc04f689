// The baselines of the throughput benchmark, each a process of its own like the throttler, with the same settings,
// nothing decided:
//
//   stock     kafkajs as it is; only reads
//   consume   the client of packages/kafka, which every program here uses; only reads, a message for each record
//   fetch     the same, with a partition's records in one piece, as the throttler takes them; does not look at them
//   copy      kafkajs as it is; writes every record to the other topic, partition by partition, in one transaction per
//             fetched batch with its offset

import { asPartitionRecords, createKafka, registerCompression } from '@alert-throttle/kafka';
import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';

const [mode = '', brokers = '', group = '', from = '', to = ''] = process.argv.slice(2);
const SEND = 1000;
const isOurs = mode === 'consume' || mode === 'fetch';
const isCopy = mode === 'copy';
/** Without what packages/kafka mends and replaces in it; only its codecs, to read the same log. */
registerCompression();
const options = { brokers: brokers.split(','), clientId: `bench-${mode}`, logLevel: logLevel.NOTHING };
const silence = (): void => undefined;
const logger = { debug: silence, info: silence, warn: silence, error: silence };
const producers = new Map<number, Promise<Producer>>();
const producing = new Kafka({ ...options, retry: { initialRetryTime: 10, retries: 10 } });

function producerOf(partition: number): Promise<Producer> {
  let producer = producers.get(partition);
  if (producer === undefined) {
    producer = connected(partition);
    producers.set(partition, producer);
  }
  return producer;
}

async function connected(partition: number): Promise<Producer> {
  const producer = producing.producer({
    transactionalId: `${group}/${partition}`,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionTimeout: 10_000,
  });
  await producer.connect();
  return producer;
}

const consumer = (isOurs ? createKafka(options, logger) : new Kafka(options)).consumer({
  groupId: group,
  sessionTimeout: 10_000,
  heartbeatInterval: 1000,
  maxWaitTimeInMs: 100,
  maxBytesPerPartition: 4 * 1024 * 1024,
  maxBytes: 32 * 1024 * 1024,
});
await consumer.connect();
await consumer.subscribe({ topic: from, fromBeginning: true });
const run: typeof consumer.run = (config) =>
  mode === 'fetch' ? asPartitionRecords(() => consumer.run(config)) : consumer.run(config);
await run({
  autoCommit: !isCopy,
  eachBatchAutoResolve: false,
  partitionsConsumedConcurrently: 512,
  eachBatch: async (payload) => {
    const { batch } = payload;
    if (isCopy) {
      const transaction = await (await producerOf(batch.partition)).transaction();
      for (let at = 0; at < batch.messages.length; at += SEND) {
        const messages = batch.messages.slice(at, at + SEND).map(({ key, value, timestamp }) => ({
          key,
          value,
          timestamp,
          partition: batch.partition,
        }));
        await transaction.send({ topic: to, messages, acks: -1 });
      }
      const offset = String(BigInt(batch.lastOffset()) + 1n);
      await transaction.sendOffsets({
        consumerGroupId: group,
        topics: [{ topic: from, partitions: [{ partition: batch.partition, offset }] }],
      });
      await transaction.commit();
    }
    payload.resolveOffset(batch.lastOffset());
  },
});

// So that a profile is written.
process.once('SIGTERM', () => process.exit(0));
