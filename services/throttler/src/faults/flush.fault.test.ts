// Killed before, during and after a flush, a throttler leaves a checkpoint that its successor can go on from, or see
// through.

import { faultRounds, tally } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { FAULT_POINTS } from '../testing/fault.ts';
import { killAtEach, type LaneFault, lanesOf } from '../testing/fault-lanes.ts';
import { seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';

const ROUNDS = faultRounds(1);
const LANES = 4;
/** The n-th fault is lane n mod 4's: each lane has replacements over nothing and over an old checkpoint. */
const FAULTS: readonly LaneFault[] = [
  ...FAULT_POINTS.replace.map((point): LaneFault => ({ point, checkpoints: 'deleted' })),
  ...FAULT_POINTS.update.map((point): LaneFault => ({ point })),
  { point: 'half-built', checkpoints: 'outdated' },
  { point: 'built', checkpoints: 'outdated' },
  { point: 'swapping', checkpoints: 'outdated' },
  { point: 'updating' },
];

let scenario: Scenario;
let lanes: Scenario[];

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 4 });
  lanes = await lanesOf(scenario, LANES);
});
afterAll(() => scenario.close());

test(
  'given kill -9 at each step of a flush, then the output and the next checkpoints are as if there had been none',
  { timeout: 300_000 * ROUNDS },
  async () => {
    const faults = Array.from({ length: ROUNDS }, () => FAULTS).flat();
    const done = await killAtEach(
      lanes.map((lane, index) => [lane, faults.filter((_, n) => n % LANES === index)] as const),
      seedOf('FAULT_SEED'),
    );
    tally(done);
    expect(done.faults).toBe(faults.length);
  },
);
