// alertctl as operators run it, against the real Kafka, registry and Redis.
import { AlertCodec, makeAlert } from '@alert-throttle/alert';
import { redisSettings, loadConfig } from '@alert-throttle/config';
import type { TopicNames } from '@alert-throttle/kafka';
import { connectRedis, createRedis } from '@alert-throttle/redis';
import {
  containerId,
  createTestTopics,
  runService,
  sampleAlert,
  testKafka,
  testStack,
  topicEnv,
  uniqueName,
  type RunningService,
} from '@alert-throttle/test-kit';
import { checkpointKey, throttledKey } from '@alert-throttle/throttle';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS, QUIET, sampleFold, THROTTLED } from './testing/sample-fold.ts';
import { commitOffset, metadataFor, writeCheckpoint } from './testing/throttler-state.ts';

let topics: TopicNames;
let redis: Redis;
let codec: AlertCodec;
const group = uniqueName('alertctl');

beforeAll(async () => {
  topics = await createTestTopics(2, 'alertctl');
  const quiet = { info: () => undefined, warn: () => undefined };
  redis = createRedis(loadConfig(redisSettings, { env: { REDIS_URL: testStack().REDIS_URL } }), quiet);
  await connectRedis(redis);
  codec = new AlertCodec({ url: testStack().SCHEMA_REGISTRY_URL });
  await codec.register(topics.throttled);
});

afterAll(async () => {
  for (const partition of [0, 1])
    await redis.del(checkpointKey(group, topics.raw, partition), throttledKey(group, topics.raw, partition));
  redis.disconnect();
});

function alertctl(args: readonly string[], env: Record<string, string> = {}): RunningService {
  return runService('alertctl', { args, env: { ...topicEnv(topics), CONSUMER_GROUP: group, ...env } });
}

async function json(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const command = alertctl([...args, '--json'], env);
  const { code } = await command.exit();
  if (code !== 0) throw new Error(command.output);
  return JSON.parse(command.stdout) as Record<string, unknown>;
}

describe('alertctl windows and limits', () => {
  test('given a group that never ran, then both say so and end well', async () => {
    const never = { CONSUMER_GROUP: uniqueName('never') };
    const limits = alertctl(['limits'], never);
    expect((await limits.exit()).code).toBe(0);
    expect(limits.stdout).toContain('not claimed yet');
    expect(limits.stderr).toContain('has committed nothing yet');
    const windows = alertctl(['windows'], never);
    expect((await windows.exit()).code).toBe(0);
    expect(windows.stdout).toContain('no container is throttled');
  });

  test('given what a throttler left behind, then windows tells who is throttled and how old that is, with and without Kafka', async () => {
    const crossedAtMs = Date.now();
    const metadata = metadataFor(LIMITS, 3, crossedAtMs);
    await commitOffset(testKafka(), { group, topic: topics.raw, offset: 10, metadata });
    const fold = sampleFold(crossedAtMs);
    await writeCheckpoint(redis, { group, topic: topics.raw, offset: 8, fold, updatedAtMs: crossedAtMs });

    expect(await json(['windows'])).toMatchObject({
      kafka: { ok: true },
      windows: [{ container: THROTTLED, dropped: 5, partition: 0, identity: { PodName: 'web-0' } }],
      partitions: [
        { partition: 0, committedOffset: 10, behindCommit: 2, checkpoint: { offset: 8, throttled: 1 } },
        { partition: 1, committedOffset: null, checkpoint: null },
      ],
    });
    const all = await json(['windows', '--all'], { KAFKA_BROKERS: '127.0.0.1:1' });
    expect(all).toMatchObject({
      kafka: { ok: false },
      windows: [{ container: THROTTLED }, { container: QUIET, state: 'open' }],
      partitions: [{ partition: 0, committedOffset: null, checkpoint: { offset: 8 } }],
    });
    const table = alertctl(['windows'], { KAFKA_BROKERS: '127.0.0.1:1' });
    expect((await table.exit()).code).toBe(0);
    expect(table.stdout).toContain('shop/web-0');
    expect(table.stderr).toContain('127.0.0.1:1 refuses the connection');

    expect(await json(['limits'])).toMatchObject({
      partitions: [
        {
          partition: 0,
          committedOffset: 10,
          inForce: { maxAlertPerSec: 2, version: 'on-2-30', fromOffset: 3 },
        },
        { partition: 1, inForce: null },
      ],
    });
  });

  test("given a commit that is not the throttler's, then limits says so and goes on", async () => {
    const foreign = uniqueName('foreign');
    await commitOffset(testKafka(), { group: foreign, topic: topics.raw, offset: 1, metadata: 'mine' });
    const limits = alertctl(['limits'], { CONSUMER_GROUP: foreign });
    expect((await limits.exit()).code).toBe(0);
    expect(limits.stderr).toContain('partition 0: ');
  });
});

async function produce(
  messages: readonly { partition: number; key: string; value: Buffer | null }[],
): Promise<void> {
  const producer = testKafka().producer();
  await producer.connect();
  await producer.send({ topic: topics.throttled, messages: [...messages] });
  await producer.disconnect();
}

async function groups(): Promise<string[]> {
  const admin = testKafka().admin();
  await admin.connect();
  const { groups: found } = await admin.listGroups();
  await admin.disconnect();
  return found.map(({ groupId }) => groupId);
}

describe('alertctl tail', () => {
  const container = containerId(1);
  const threshold = makeAlert({
    ContainerID: container,
    Type: 'SystemEvent',
    Operation: 'AlertThreshold',
    MaxAlertsPerSec: 2,
  });

  test('given alerts, a threshold, a tombstone and rubbish, then each is shown, and no trace is left', async () => {
    await produce([
      { partition: 0, key: container, value: codec.encode(sampleAlert({ ContainerID: container })) },
      { partition: 0, key: container, value: codec.encode(threshold) },
      { partition: 0, key: container, value: null },
      { partition: 0, key: container, value: Buffer.from('rubbish') },
      { partition: 0, key: container, value: Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1]) },
      { partition: 0, key: container, value: codec.encode(threshold).subarray(0, 40) },
    ]);
    const tail = alertctl(['tail', '--verbose', '--from-beginning', '--max', '6']);
    expect((await tail.exit()).code).toBe(0);
    expect(tail.stdout).toContain(
      'wordpress-mysql/wordpress-586468bf4f-8bf6x (wordpress)  Process  Audit  audit-shells',
    );
    expect(tail.stdout).toContain('--- AlertThreshold (partition 0 offset 1)');
    expect(tail.stdout).toContain('MaxAlertsPerSec: 2');
    expect(tail.stdout).toContain('container deleted');
    expect(tail.stdout).toContain('NOT READABLE (NO_MAGIC_BYTE, 7 bytes)');
    expect(tail.stdout).toContain('NOT READABLE (NOT_AN_ALERT_SCHEMA, 6 bytes)');
    expect(tail.stdout).toContain('NOT READABLE (TRUNCATED, 40 bytes)');
    const groupId = /"groupId":"([^"]+)"/.exec(tail.stderr)?.[1];
    expect(groupId).toContain('alertctl-tail-');
    expect(await groups()).not.toContain(groupId);
  });

  test('given no option, then only what comes from now on, until Ctrl-C', async () => {
    const late = containerId(2);
    const tail = alertctl(['tail', '--json', '--verbose', '--container', late.slice(0, 70)]);
    // Where to begin is fixed before the group is joined.
    await tail.printed('Consumer has joined the group');
    await produce([{ partition: 1, key: late, value: codec.encode(sampleAlert({ ContainerID: late })) }]);
    await tail.printed(`"key":"${late}"`);
    tail.kill('SIGINT');
    expect((await tail.exit()).code).toBe(0);
    const lines = tail.stdout.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual([late]);
  });

  test('given an aborted transaction, then its records are not shown', async () => {
    const aborted = containerId(3);
    const kafka = testKafka();
    const producer = kafka.producer({ transactionalId: uniqueName('aborted'), maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    const value = codec.encode(sampleAlert({ ContainerID: aborted }));
    await transaction.send({ topic: topics.throttled, messages: [{ partition: 1, key: aborted, value }] });
    await transaction.abort();
    await producer.disconnect();
    const marker = containerId(4);
    await produce([{ partition: 1, key: marker, value: codec.encode(sampleAlert({ ContainerID: marker })) }]);
    const tail = alertctl(['tail', '--from-beginning', '--json', '--container', 'cccc']);
    await tail.printed(marker);
    expect(tail.stdout).not.toContain(aborted);
    await tail.stop();
  });

  test('given a registry that is away, then it ends with 1 and its address', async () => {
    const tail = alertctl(['tail', '--from-beginning'], { SCHEMA_REGISTRY_URL: 'http://127.0.0.1:9' });
    expect((await tail.exit()).code).toBe(1);
    expect(tail.stderr).toContain('127.0.0.1:9');
    expect(tail.stderr).not.toContain('    at ');
  });
});

describe('alertctl topics', () => {
  test('given none, then --check names them, topics makes them and registers the schema, and then all is well', async () => {
    const prefix = uniqueName('alertctl-topics');
    const env = topicEnv({
      raw: `${prefix}.raw`,
      throttled: `${prefix}.throttled`,
      deadLetter: `${prefix}.dead`,
    });
    const check = alertctl(['topics', '--check'], env);
    expect((await check.exit()).code).toBe(1);
    expect(check.stdout).toContain('3 problems');
    const make = alertctl(['topics', '--partitions', '3'], env);
    expect((await make.exit()).code).toBe(0);
    expect(make.stdout.match(/made topic/g)).toHaveLength(3);
    const subject = await fetch(
      `${testStack().SCHEMA_REGISTRY_URL}/subjects/${prefix}.throttled-value/versions`,
    );
    expect(subject.status).toBe(200);
    const again = alertctl(['topics'], env);
    expect((await again.exit()).code).toBe(0);
    expect(again.stdout).not.toContain('made topic');
    expect(again.stdout).toContain('as they must be');
  });
});
