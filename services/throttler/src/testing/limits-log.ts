// All limits that were ever in force, by partition. The metadata of the committed offset has the last 32 changes of
// them: whoever looks often enough has them all.

import type { LimitsChange } from '@alert-throttle/throttle';

import type { Scenario } from './scenario.ts';

export class LimitsLog {
  readonly #scenario: Scenario;
  readonly changes = new Map<number, LimitsChange[]>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  /** Adds what is new; to be called before 32 more changes are committed. */
  async look(): Promise<void> {
    for (const [partition, found] of await this.#scenario.limitsChanges()) {
      const known = this.changes.get(partition) ?? [];
      this.changes.set(partition, [...known, ...found.slice(overlap(known, found, partition))]);
    }
  }

  get count(): number {
    // The first ones are what everything began with.
    return [...this.changes.values()].reduce((sum, { length }) => sum + length - 1, 0);
  }
}

/** How many of the first ones found are the last ones known. */
function overlap(known: readonly LimitsChange[], found: readonly LimitsChange[], partition: number): number {
  if (known.length === 0) return 0;
  for (let length = Math.min(known.length, found.length); length > 0; length--) {
    if (JSON.stringify(known.slice(-length)) === JSON.stringify(found.slice(0, length))) return length;
  }
  throw new Error(`partition ${partition}: limits were changed too often to be seen`);
}
