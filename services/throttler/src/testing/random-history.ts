// Random histories of a partition and its owners, played one after the other; see Simulation. A history that fails is
// made as short as it gets, and told with the seed that brings it back.

import { faultRounds, tally } from '@alert-throttle/test-kit';
import fc from 'fast-check';

import { randomFrom } from './random.ts';
import { anyLimits, recordSpec } from './random-records.ts';
import { PROCESSES, Simulation, type Step } from './simulation.ts';

const place = fc.nat(PROCESSES - 1);

function step<Kind extends Step['do']>(
  weight: number,
  kind: Kind,
  fields: { [Name in keyof Omit<Extract<Step, { do: Kind }>, 'do'>]: fc.Arbitrary<unknown> },
): { weight: number; arbitrary: fc.Arbitrary<Step> } {
  return {
    weight,
    arbitrary: fc.record({ do: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<Step>,
  };
}

const kind = fc.oneof(
  { weight: 30, arbitrary: fc.constant('alert' as const) },
  { weight: 1, arbitrary: fc.constantFrom('other', 'strange', 'poison', 'tombstone') },
);
const record = fc
  .tuple(recordSpec(kind), fc.oneof(fc.constantFrom(0, 0, 0, 1, 100), fc.nat(700)))
  .map(([spec, afterMs]) => ({ ...spec, afterMs }));

const records = fc.array(record, { minLength: 1, maxLength: 8 });

const anyStep = fc.oneof(
  step(12, 'append', { records }),
  step(1, 'hide', {}),
  step(12, 'fetch', {
    times: fc.integer({ min: 1, max: 4 }),
    max: fc.integer({ min: 1, max: 12 }),
    early: fc.boolean(),
  }),
  step(1, 'truncate', { left: fc.nat(12) }),
  step(9, 'pass', { ms: fc.oneof(fc.constantFrom(200, 1100, 3000, 6000), fc.nat(2000)) }),
  step(1, 'setBack', { ms: fc.integer({ min: 1, max: 8000 }) }),
  step(2, 'limits', { process: fc.oneof(fc.constant(undefined), place), limits: anyLimits }),
  step(6, 'assign', { process: place, told: fc.boolean() }),
  step(2, 'tellAll', {}),
  step(1, 'stop', { process: place }),
  step(8, 'fault', {
    process: place,
    after: fc.nat(12),
    outcome: fc.constantFrom('fails', 'lost', 'crashes', 'crashesAfter', 'stalls', 'stalls'),
  }),
  step(3, 'wake', {}),
  step(3, 'forgetEnd', {}),
  step(3, 'redis', { what: fc.constantFrom('lost', 'away', 'back', 'back') }),
  step(1, 'redisRollBack', { writes: fc.integer({ min: 1, max: 3 }) }),
);

/** Short: what goes wrong needs few steps, and many short histories meet more than a few long ones. */
const anyHistory = fc.array(anyStep, { minLength: 10, maxLength: 40, size: 'max' });

const FAULTS: readonly Step['do'][] = [
  'setBack',
  'truncate',
  'assign',
  'fault',
  'forgetEnd',
  'redis',
  'redisRollBack',
];

/** Plays so many histories, times FAULT_ROUNDS; throws with the seed where one does not end as it must. */
export async function playHistories(base: number, seed: number): Promise<void> {
  const { random } = Math;
  const { stackTraceLimit } = Error;
  // Thousands of errors are thrown here, and nobody reads where.
  Error.stackTraceLimit = 0;
  const done = { faults: 0, alerts: 0 };
  let keptOverGaps = 0;
  try {
    await fc.assert(
      fc.asyncProperty(anyHistory, anyLimits, fc.nat(), async (history, limits, order) => {
        Math.random = randomFrom(order);
        const simulation = new Simulation(order, limits);
        await simulation.play([{ do: 'assign', process: 0, told: true }, ...history]);
        const problems = await simulation.conclude();
        if (problems.length > 0) throw new Error(problems.slice(0, 5).join('\n'));
        done.faults += history.filter((one) => FAULTS.includes(one.do)).length;
        keptOverGaps += simulation.oracle.keptOverGaps;
        done.alerts += simulation.oracle.records.length;
        // The runner has to say now and then that it lives.
        await new Promise((resolve) => setImmediate(resolve));
      }),
      { numRuns: faultRounds(base), seed },
    );
    // Each history may forget them, as the checkpoint may be gone; not all of them.
    if (keptOverGaps === 0) throw new Error('windows never lived on over a gap');
  } catch (error) {
    throw new Error(`FAULT_SEED=${seed}: ${String(error)}`, { cause: error });
  } finally {
    Math.random = random;
    Error.stackTraceLimit = stackTraceLimit;
  }
  tally(done);
}
