// Killed while it claims what a killed predecessor left, a throttler leaves the next one nothing worse.

import { faultRounds, tally } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { killAtEach, type LaneFault, lanesOf } from '../testing/fault-lanes.ts';
import { seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';

const PARTITIONS = 4;
const ROUNDS = faultRounds(1);
/** Each begins with a predecessor that leaves a transaction open, or a checkpoint that is behind: it is there, and not updated. */
const LANES: readonly (readonly LaneFault[])[] = [
  [{ point: 'offsets-sent' }, { point: 'assigned' }, { point: 'fenced' }],
  [{ point: 'update-ready' }, { point: 'offset-read' }, { point: 'checkpoint-loaded', passage: 1 }],
  // After all partitions read their offsets, one reads it again: the claim is about to go live.
  [{ point: 'all-sent' }, { point: 'offset-read', passage: PARTITIONS + 1 }, { point: 'folded', passage: 1 }],
];

let scenario: Scenario;
let lanes: Scenario[];

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: PARTITIONS });
  lanes = await lanesOf(scenario, LANES.length);
});
afterAll(() => scenario.close());

test(
  'given kill -9 at each step of a claim, then nothing is lost and nothing doubled',
  { timeout: 300_000 * ROUNDS },
  async () => {
    const planned = lanes.map((lane, index) => {
      const faults = LANES[index] ?? [];
      return [lane, Array.from({ length: ROUNDS }, () => faults).flat()] as const;
    });
    const done = await killAtEach(planned, seedOf('FAULT_SEED'));
    tally(done);
    expect(done.faults).toBe(ROUNDS * LANES.flat().length);
  },
);
