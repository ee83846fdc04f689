// A throttler that hangs in the middle of a transaction until another one has taken over, and then wakes up: what it
// had begun does not count, and it is a member again.

import { faultRounds, readTopic, tally } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Fault, FaultPoint } from '../testing/fault.ts';
import { lanesOf } from '../testing/fault-lanes.ts';
import { FaultyRun } from '../testing/faulty-run.ts';
import { allAgrees, feedMixed } from '../testing/mixed-feed.ts';
import { randomFrom, seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import { shared, worked } from '../testing/sharing.ts';

const ROUNDS = faultRounds(1);
const POINTS = ['first-sent', 'all-sent', 'offsets-sent', 'committed'] as const satisfies FaultPoint[];
/** So long that it is its successor that ends the zombie's transaction, not the broker. */
const LONG_TRANSACTION_MS = 120_000;

let scenario: Scenario;
let lanes: Scenario[];

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 2 });
  lanes = await lanesOf(scenario, POINTS.length);
});
afterAll(() => scenario.close());

/** Hangs, is replaced, wakes up, and shares the partitions with its successor. */
async function hang(lane: Scenario, point: FaultPoint, passage: number): Promise<void> {
  const fault: Fault = { point, passage, signal: 'SIGSTOP', transactionTimeoutMs: LONG_TRANSACTION_MS };
  const zombie = new FaultyRun(lane, fault);
  await zombie.struck();
  const heir = lane.start();
  await shared(lane, heir);
  await worked(lane);
  expect(await zombie.goesOn(), `committed by the zombie, woken at ${point}`).toBe(point === 'committed');
  await shared(lane, zombie, heir);
  await worked(lane);
  expect(await zombie.stop()).toBe(0);
  expect(await heir.stop()).toBe(0);
}

test(
  'given a throttler that hangs in a transaction past its session, then its successor ends it, and it is a member again',
  { timeout: 300_000 * ROUNDS },
  async () => {
    const seed = seedOf('FAULT_SEED');
    const random = randomFrom(seed + 1);
    for (let round = 0; round < ROUNDS; round++) {
      const feeding = new AbortController();
      const fed = feedMixed(scenario, randomFrom(seed + round), feeding.signal);
      try {
        const passages = POINTS.map(() => 1 + Math.floor(random() * 5));
        await Promise.all(
          POINTS.map((point, index) => hang(lanes[index] ?? scenario, point, passages[index] ?? 1)),
        );
      } finally {
        feeding.abort();
        await fed;
      }
    }
    const compared = await Promise.all(lanes.map((lane) => allAgrees(lane, `seed ${seed}`)));
    tally({ faults: ROUNDS * POINTS.length, alerts: compared.reduce((sum, count) => sum + count, 0) });
    for (const [index, point] of POINTS.entries()) {
      const { throttled } = (lanes[index] ?? scenario).topics;
      const written = await readTopic(throttled, { isolation: 'read_uncommitted' });
      const aborted = written.length - (await readTopic(throttled)).length;
      if (point !== 'committed') expect(aborted, `aborted records, ${point}`).toBeGreaterThan(0);
    }
  },
);
