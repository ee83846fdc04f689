// Instances that come and go: each partition is one instance's at a time, and the output is as if there were one.

import { waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { feedFloods } from './testing/feed-floods.ts';
import { randomFrom, seedOf } from './testing/random.ts';
import { Scenario } from './testing/scenario.ts';
import type { ThrottlerRun } from './testing/throttler-run.ts';

const PARTITIONS = 6;
const seed = seedOf('THROTTLER_GROUP_SEED');

let scenario: Scenario;
const feeding = new AbortController();
let fed: Promise<number>;
let first: ThrottlerRun;
let second: ThrottlerRun;
let third: ThrottlerRun;

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: PARTITIONS });
  fed = feedFloods(scenario, randomFrom(seed), feeding.signal);
});

afterAll(async () => {
  feeding.abort();
  await fed;
  for (const run of [first, second, third]) await run.kill();
  await scenario.close();
});

/** Waits until these instances, and nobody else, share all partitions, and all of them are live. */
async function shared(...runs: ThrottlerRun[]): Promise<number[]> {
  return waitFor('every partition to be live at one instance', async () => {
    const ready = await Promise.all(runs.map((run) => run.readyz()));
    const claimed = ready.flatMap(({ ok, partitions }) => (ok ? partitions.map((p) => p.partition) : []));
    const all =
      claimed.sort((a, b) => a - b).join() === Array.from({ length: PARTITIONS }, (_, i) => i).join();
    return all && ready.map(({ partitions }) => partitions.length);
  });
}

/** Waits until something more was decided in every partition. */
async function worked(): Promise<void> {
  const before = await scenario.committed();
  await waitFor('progress in every partition', async () => {
    const now = await scenario.committed();
    return [...now].every(([partition, { offset }]) => offset > (before.get(partition)?.offset ?? 0));
  });
}

test('given one instance, then all partitions are its own', async () => {
  first = scenario.start();
  expect(await shared(first)).toEqual([6]);
  await worked();
});

test('and a second and a third, then they share the partitions', async () => {
  second = scenario.start();
  expect(await shared(first, second)).toEqual([3, 3]);
  await worked();
  third = scenario.start();
  expect(await shared(first, second, third)).toEqual([2, 2, 2]);
  await worked();
});

test('and one of them stops, then the others take over from its checkpoints', async () => {
  const before = await rebuiltFromLog();
  expect(await second.stop()).toBe(0);
  expect(await shared(first, third)).toEqual([3, 3]);
  await worked();
  expect(await rebuiltFromLog()).toBe(before);
});

test('and one of them is killed, then the last one takes over', async () => {
  await third.kill();
  expect(await shared(first)).toEqual([6]);
  await worked();
});

test('then nothing was lost, doubled or decided in another way', async () => {
  feeding.abort();
  expect(await fed).toBeGreaterThan(100);
  await scenario.drained();
  await scenario.agrees();
  expect(await first.metric('digest_mismatches_total')).toBe(0);
  expect(await first.stop()).toBe(0);
  expect(await scenario.problems(), `seed ${seed}`).toEqual([]);
  expect(await scenario.checkpointProblems(), `seed ${seed}`).toEqual([]);
});

async function rebuiltFromLog(): Promise<number> {
  const counts = await Promise.all([first, third].map((run) => run.metric('claims_total', 'how="log"')));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
