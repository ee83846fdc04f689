// Processes that are killed one after the other before they have claimed anything, and five that are killed in a
// row: the group is full of members that are gone, and still somebody gets the partitions.

import { setTimeout as sleep } from 'node:timers/promises';

import { faultRounds, tally, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { lanesOf } from '../testing/fault-lanes.ts';
import { FaultyRun } from '../testing/faulty-run.ts';
import { allAgrees, feedMixed } from '../testing/mixed-feed.ts';
import { randomFrom, seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

const EARLY = faultRounds(10);
const IN_A_ROW = 5;
const ROWS = faultRounds(1);

let early: Scenario;
let rows: Scenario;

beforeAll(async () => {
  early = await Scenario.create({ partitions: 4 });
  [, rows] = (await lanesOf(early, 2)) as [Scenario, Scenario];
});
afterAll(() => early.close());

/** Somewhere between its start and its first claim. */
async function killSoon(run: ThrottlerRun, random: () => number): Promise<void> {
  await waitFor('its start', () => run.logged('throttler starting').length > 0);
  await sleep(random() * 2000);
  await run.kill();
}

async function killBeforeClaims(random: () => number): Promise<void> {
  const predecessor = early.start();
  await predecessor.ready();
  await predecessor.kill();
  for (let kill = 0; kill < EARLY; kill++) {
    // At the latest it kills itself, when it is given partitions.
    const run = new FaultyRun(early, { point: 'assigned', passage: 1, signal: 'SIGKILL' });
    await killSoon(run, random);
    expect(run.logged('partition claimed')).toEqual([]);
  }
}

async function killInARow(random: () => number): Promise<void> {
  for (let row = 0; row < ROWS; row++) {
    const working = rows.start();
    await working.ready(rows.partitions);
    await working.kill();
    for (let kill = 1; kill < IN_A_ROW; kill++) await killSoon(rows.start(), random);
    const heir = rows.start();
    await heir.ready(rows.partitions);
    await heir.kill();
  }
}

test(
  'given processes killed before they claimed, and five kills in a row, then the next one takes over',
  { timeout: 300_000 * ROWS },
  async () => {
    const seed = seedOf('FAULT_SEED');
    const feeding = new AbortController();
    const fed = feedMixed(early, randomFrom(seed), feeding.signal);
    try {
      await Promise.all([killBeforeClaims(randomFrom(seed + 1)), killInARow(randomFrom(seed + 2))]);
    } finally {
      feeding.abort();
      await fed;
    }
    const compared = await Promise.all([early, rows].map((lane) => allAgrees(lane, `seed ${seed}`)));
    tally({ faults: 1 + EARLY + ROWS * (IN_A_ROW + 1), alerts: compared.reduce((a, b) => a + b, 0) });
  },
);
