// Killed at any moment, nothing is lost and nothing is doubled.

import { setTimeout as sleep } from 'node:timers/promises';

import { faultRounds, tally } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { lanesOf } from '../testing/fault-lanes.ts';
import { allAgrees, feedMixed } from '../testing/mixed-feed.ts';
import { randomFrom, seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';

const KILLS = faultRounds(10);
/** Groups over the same topic at the same time: a successor waits for its predecessor's session to end. */
const LANES = 3;
const ROUNDS = faultRounds(1);

let scenario: Scenario;
let lanes: Scenario[];

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 4 });
  lanes = await lanesOf(scenario, LANES);
});
afterAll(() => scenario.close());

async function killAtRandom(lane: Scenario, kills: number, random: () => number): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    const run = lane.start();
    // Most of them while it works; some while it joins or claims.
    if (random() < 0.7) await run.ready();
    await sleep(random() * 2500);
    await run.kill();
  }
}

test(
  'given kill -9, ten times at random, while alerts come in, then a read_committed consumer misses nothing and sees nothing twice',
  { timeout: 400_000 * ROUNDS },
  async () => {
    const seed = seedOf('FAULT_SEED');
    const feeding = new AbortController();
    const fed = feedMixed(scenario, randomFrom(seed), feeding.signal);
    try {
      await Promise.all(
        lanes.map((lane, index) => {
          const kills = Math.floor((KILLS + index) / LANES);
          return killAtRandom(lane, kills, randomFrom(seed + 1 + index));
        }),
      );
    } finally {
      feeding.abort();
      await fed;
    }
    const compared = await Promise.all(lanes.map((lane) => allAgrees(lane, `seed ${seed}`)));
    const alerts = compared.reduce((sum, count) => sum + count, 0);
    tally({ faults: KILLS, alerts });
    expect(alerts).toBeGreaterThan(1000);
  },
);
