// Leaves behind what a throttler leaves behind: a committed offset with metadata, and a checkpoint. For tests.
import {
  checkpointKey,
  formatOffsetMetadata,
  throttledKey,
  type Limits,
  type OffsetMetadata,
  type PartitionFold,
} from '@alert-throttle/throttle';
import type { AlertKafka } from '@alert-throttle/kafka';
import type { Redis } from 'ioredis';

/** Commits an offset of partition 0 as the throttler does: in a transaction. */
export async function commitOffset(
  kafka: AlertKafka,
  { group, topic, offset, metadata }: { group: string; topic: string; offset: number; metadata: string },
): Promise<void> {
  const producer = kafka.producer({ transactionalId: `${group}/${topic}/0`, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    const partitions = [{ partition: 0, offset: String(offset), metadata }];
    await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic, partitions }] });
    await transaction.commit();
  } finally {
    await producer.disconnect();
  }
}

export function metadataFor(limits: Limits, fromOffset: number, atMs: number): string {
  const at = atMs * 1_000 + 999;
  const metadata: OffsetMetadata = {
    v: 1,
    limits: [{ from: fromOffset, at, ...limits }],
    idle: [],
    digest: '0'.repeat(16),
    at,
  };
  return formatOffsetMetadata(metadata);
}

export async function writeCheckpoint(
  redis: Redis,
  {
    group,
    topic,
    offset,
    fold,
    updatedAtMs,
  }: { group: string; topic: string; offset: number; fold: PartitionFold; updatedAtMs: number },
): Promise<void> {
  const { set, throttledSet } = fold.snapshot();
  const head = {
    '@offset': String(offset),
    '@updated': new Date(updatedAtMs).toISOString(),
    '@version': '1',
  };
  await redis.hset(checkpointKey(group, topic, 0), { ...Object.fromEntries(set), ...head });
  for (const [container, end] of throttledSet)
    await redis.zadd(throttledKey(group, topic, 0), end, container);
}
