// Both services write compressed batches, in each codec that they may be told, and others read them: kcat (librdkafka).
// The broker, which is written in Java, unpacks each of them before it takes it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readTopic, runService, topicEnv, uniqueName, waitFor } from '@alert-throttle/test-kit';
import { Scenario } from '@alert-throttle/throttler/testing';
import { beforeAll, expect, onTestFinished, test } from 'vitest';

import { readWithKcat } from './testing/kcat.ts';
import { kubeArmorLine } from './testing/kubearmor-lines.ts';
import { kcatInstalled } from './testing/programs.ts';

const ALERTS = 2000;

beforeAll(() => kcatInstalled());

/** About what lies on the broker's disk: the bytes that a consumer is sent. */
async function fetchedBytes(scenario: Scenario, topic: string, records: number): Promise<number> {
  const consumer = scenario.kafka.consumer({ groupId: uniqueName('sizes'), maxWaitTimeInMs: 100 });
  let bytes = 0;
  let seen = 0;
  consumer.on(consumer.events.REQUEST, ({ payload }) => {
    if (payload.apiName === 'Fetch') bytes += payload.size;
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachBatch: ({ batch }) => Promise.resolve(void (seen += batch.messages.length)) });
  await waitFor('all records', () => seen >= records);
  await consumer.disconnect();
  return bytes;
}

async function expectSame(topic: string): Promise<{ values: number; records: number }> {
  const ours = await readTopic(topic);
  const wanted = ours.map(({ partition, offset, key, value }) => ({
    partition,
    offset,
    key: key?.toString() ?? '',
    value: value?.toString('hex') ?? null,
  }));
  const inOrder = <T extends { partition: number; offset: number }>(all: readonly T[]): T[] =>
    all.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  expect(inOrder(await readWithKcat(topic))).toEqual(inOrder(wanted));
  return { values: ours.reduce((sum, { value }) => sum + (value?.length ?? 0), 0), records: ours.length };
}

test.each([undefined, 'zstd', 'lz4', 'gzip', 'none'])(
  'KAFKA_COMPRESSION=%s: others read the same bytes',
  async (codec) => {
    const scenario = await Scenario.create({ partitions: 2, limits: { maxAlertPerSec: 1000 } });
    onTestFinished(() => scenario.close());
    const folder = mkdtempSync(join(tmpdir(), 'compression-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'alerts.jsonl');
    const lines = Array.from({ length: ALERTS }, (_, index) =>
      kubeArmorLine({ container: index % 4, atMicros: 1_767_225_600_000_000 + index * 50_000, index }),
    );
    writeFileSync(file, lines.join('\n'));
    const env = { ...topicEnv(scenario.topics), SPOOL_DIR: join(folder, 'spool'), KAFKA_COMPRESSION: codec };
    expect((await runService('producer', { args: ['--file', file], env }).exit()).code).toBe(0);
    const run = scenario.start({ KAFKA_COMPRESSION: codec });
    await scenario.drained();
    await scenario.agrees();
    expect(await run.stop()).toBe(0);
    for (const topic of [scenario.topics.raw, scenario.topics.throttled]) {
      const { values, records } = await expectSame(topic);
      expect(records).toBeGreaterThanOrEqual(ALERTS);
      const bytes = await fetchedBytes(scenario, topic, records);
      if (codec === 'none') expect(bytes).toBeGreaterThan(values);
      else expect(bytes).toBeLessThan(values / 2);
    }
  },
);
