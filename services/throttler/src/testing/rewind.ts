// Writes what a group has committed and checkpointed as if it stood elsewhere: the only way to an offset with the
// throttler's metadata is a transaction, as kafkajs's admin cannot set metadata.

import { uniqueName } from '@alert-throttle/test-kit';
import { checkpointKey, throttledKey } from '@alert-throttle/throttle';
import { Redis } from 'ioredis';

import type { Scenario, StoredCheckpoint } from './scenario.ts';

export interface CommittedText {
  readonly offset: string;
  readonly metadata: string;
}

/** kafkajs passes `metadata` of an offset through to the broker; its type does not know it. */
interface OffsetWithMetadata extends CommittedText {
  readonly partition: number;
}

/** As the broker has it. */
export async function committedText(scenario: Scenario, partition = 0): Promise<CommittedText> {
  const topics = await scenario.admin.fetchOffsets({
    groupId: scenario.group,
    topics: [scenario.topics.raw],
  });
  const found = topics.flatMap(({ partitions }) => partitions).find((one) => one.partition === partition);
  return { offset: found?.offset ?? '-1', metadata: found?.metadata ?? '' };
}

/** Nobody of the group may run meanwhile. */
export async function commitText(scenario: Scenario, at: CommittedText, partition = 0): Promise<void> {
  const producer = scenario.kafka.producer({
    transactionalId: uniqueName('rewind'),
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    const offset: OffsetWithMetadata = { partition, ...at };
    await transaction.sendOffsets({
      consumerGroupId: scenario.group,
      topics: [{ topic: scenario.topics.raw, partitions: [offset] }],
    });
    await transaction.commit();
  } finally {
    await producer.disconnect();
  }
}

/** Replaces a partition's checkpoint. */
export async function storeCheckpoint(
  scenario: Scenario,
  { fields, throttled }: StoredCheckpoint,
  partition = 0,
): Promise<void> {
  const { group, topics } = scenario;
  const redis = new Redis(scenario.redisUrl, { lazyConnect: true, protocol: 2 });
  redis.on('error', () => undefined);
  try {
    const [hash, set] = [
      checkpointKey(group, topics.raw, partition),
      throttledKey(group, topics.raw, partition),
    ];
    await redis.del(hash, set);
    await redis.hset(hash, Object.fromEntries(fields));
    for (const [member, score] of throttled) await redis.zadd(set, score, member);
  } finally {
    redis.disconnect();
  }
}
