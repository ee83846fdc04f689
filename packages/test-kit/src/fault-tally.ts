// How much a fault test did: how often it is to try, how many faults it injected, how many alerts it checked.
import { TestRunner } from 'vitest';
import { add, type Tally } from './tally.ts';

/** `base` rounds, times FAULT_ROUNDS from the environment (1 where it is not set): more of them take longer and find more. */
export function faultRounds(base: number, env: NodeJS.ProcessEnv = process.env): number {
  const text = env['FAULT_ROUNDS'] || '1';
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new Error(`FAULT_ROUNDS must be a whole number from 1 to 9999, not "${text}"`);
  return base * Number(text);
}

/** Adds to what the running test did; the end of the run says the sum. */
export function tally(more: Partial<Tally>): void {
  const test = TestRunner.getCurrentTest();
  if (test === undefined) throw new Error('tally() is for the inside of a test');
  test.meta.tally = add(test.meta.tally ?? { faults: 0, alerts: 0 }, more);
}
