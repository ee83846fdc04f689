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

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: PARTITIONS });
  fed = feedFloods(scenario, randomFrom(seed), feeding.signal);
});

afterAll(async () => {
  feeding.abort();
  await fed;
  await scenario.close();
});

/** Waits until these instances share all partitions evenly, each live at one of them. */
async function shared(...runs: ThrottlerRun[]): Promise<void> {
  const wanted = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  await waitFor(`${runs.length} instances to share the partitions`, async () => {
    const ready = await Promise.all(runs.map((run) => run.readyz()));
    const claimed = ready.flatMap(({ partitions }) => partitions.map(({ partition }) => partition));
    const even = ready.every(({ ok, partitions }) => ok && partitions.length === PARTITIONS / runs.length);
    return even && claimed.sort((a, b) => a - b).join() === wanted.join();
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

async function rebuiltFromLog(...runs: ThrottlerRun[]): Promise<number> {
  const counts = await Promise.all(runs.map((run) => run.metric('claims_total', 'how="log"')));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

test('given instances that come and go, then the output is as if there were one', async () => {
  const first = scenario.start();
  await shared(first);
  await worked();

  // A second and a third one share the partitions.
  const second = scenario.start();
  await shared(first, second);
  await worked();
  const third = scenario.start();
  await shared(first, second, third);
  await worked();

  // One stops: the others go on from its checkpoints.
  const before = await rebuiltFromLog(first, third);
  expect(await second.stop()).toBe(0);
  await shared(first, third);
  await worked();
  expect(await rebuiltFromLog(first, third)).toBe(before);

  // One hangs until others have its partitions: back again, it is fenced, and then a member as before.
  third.service.kill('SIGSTOP');
  await shared(first);
  await worked();
  third.service.kill('SIGCONT');
  await shared(first, third);
  await worked();

  // One is killed: the last one takes over.
  await third.kill();
  await shared(first);
  await worked();

  feeding.abort();
  expect(await fed).toBeGreaterThan(100);
  await scenario.drained();
  await scenario.agrees();
  expect(await first.metric('digest_mismatches_total')).toBe(0);
  expect(await first.stop()).toBe(0);
  expect(await scenario.problems(), `seed ${seed}`).toEqual([]);
  expect(await scenario.checkpointProblems(), `seed ${seed}`).toEqual([]);
});
