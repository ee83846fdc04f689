// Up to three processes that own one partition in turn or believe that they do: crashes at every await, lost
// answers, zombies that wake up late, Redis away, lost and rolled back, limits changed, idle time. Whatever
// happens, what is committed is the fold over the log, record for record, and once.

import fc from 'fast-check';
import { expect, it, vi } from 'vitest';

import { anyLimits, recordSpec } from './testing/random-records.ts';
import { randomFrom } from './testing/random.ts';
import { PROCESSES, Simulation, type Step } from './testing/simulation.ts';

const HISTORIES = 3000;

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
  step(12, 'fetch', { times: fc.integer({ min: 1, max: 4 }), max: fc.integer({ min: 1, max: 12 }) }),
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
  step(3, 'redis', { what: fc.constantFrom('lost', 'away', 'back', 'back') }),
  step(1, 'redisRollBack', { writes: fc.integer({ min: 1, max: 3 }) }),
);

it('commits the fold over the log, record for record, whatever fails', async () => {
  const random = vi.spyOn(Math, 'random');
  const steps = fc.array(anyStep, { minLength: 20, maxLength: 80, size: 'max' });
  await fc.assert(
    fc.asyncProperty(steps, anyLimits, fc.nat(), async (history, limits, seed) => {
      random.mockImplementation(randomFrom(seed));
      const simulation = new Simulation(seed, limits);
      await simulation.play([{ do: 'assign', process: 0, told: true }, ...history]);
      expect(await simulation.conclude()).toEqual([]);
    }),
    { numRuns: HISTORIES },
  );
}, 120_000);
