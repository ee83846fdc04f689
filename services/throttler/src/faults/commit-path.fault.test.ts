// Killed at every step of the commit, a throttler loses nothing and doubles nothing.

import { faultRounds, tally } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { FAULT_POINTS } from '../testing/fault.ts';
import { killAtEach, lanesOf } from '../testing/fault-lanes.ts';
import { seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';

const ROUNDS = faultRounds(1);
const LANES = 4;

let scenario: Scenario;
let lanes: Scenario[];

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 4 });
  lanes = await lanesOf(scenario, LANES);
});
afterAll(() => scenario.close());

test(
  'given kill -9 at each await of the commit path, then nothing is lost and nothing doubled',
  { timeout: 300_000 * ROUNDS },
  async () => {
    const faults = Array.from({ length: ROUNDS }, () =>
      FAULT_POINTS.commit.map((point) => ({ point })),
    ).flat();
    const done = await killAtEach(
      lanes.map((lane, index) => [lane, faults.filter((_, n) => n % LANES === index)] as const),
      seedOf('FAULT_SEED'),
    );
    tally(done);
    expect(done.faults).toBe(faults.length);
  },
);
