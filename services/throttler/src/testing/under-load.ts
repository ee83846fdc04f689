// The frame of a test that disturbs Kafka: alerts come in while faults happen, and afterwards all that came out is
// compared with the pure core, id for id.

import { tally, waitFor } from '@alert-throttle/test-kit';
import { expect } from 'vitest';

import { feedFloods } from './feed-floods.ts';
import { randomFrom } from './random.ts';
import type { Scenario } from './scenario.ts';
import type { ThrottlerRun } from './throttler-run.ts';

/** Of what took a claim away, the broker's timeouts and the group's rebalances go before the next progress. */
const PATIENCE_MS = 90_000;

export class Load {
  run: ThrottlerRun;
  faults = 0;
  readonly random: () => number;
  readonly #scenario: Scenario;

  constructor(scenario: Scenario, random: () => number) {
    this.#scenario = scenario;
    this.random = random;
    this.run = scenario.start();
  }

  /** As an orchestrator would, where it has ended by itself. Returns its exit code then. */
  async restartWhereEnded(): Promise<number | null | undefined> {
    if (this.run.service.running) return undefined;
    const { code } = await this.run.service.exited;
    this.run = this.#scenario.start();
    return code;
  }

  /** Waits until something more was decided in every partition. */
  async worked(): Promise<void> {
    const { partitions } = this.#scenario;
    const before = await waitFor('the committed offsets', () => this.#scenario.committed());
    const wanted = Array.from({ length: partitions }, (_, partition) => partition);
    await this.run.until(
      'progress in every partition',
      async () => {
        const now = await this.#scenario.committed();
        return wanted.every(
          (partition) => (now.get(partition)?.offset ?? -1) > (before.get(partition)?.offset ?? 0),
        );
      },
      PATIENCE_MS,
    );
  }
}

/** Starts a throttler and alerts, lets `disturb` do its work, heals nothing: that is its business, too. */
export async function underLoad(
  scenario: Scenario,
  seed: number,
  disturb: (load: Load) => Promise<void>,
): Promise<void> {
  const load = new Load(scenario, randomFrom(seed));
  const feeding = new AbortController();
  const fed = feedFloods(scenario, randomFrom(seed + 1), feeding.signal);
  // What it throws is thrown where it is awaited.
  fed.catch(() => undefined);
  try {
    await load.worked();
    await disturb(load);
    await load.worked();
    feeding.abort();
    expect(await fed).toBeGreaterThan(100);
    await scenario.drained(PATIENCE_MS);
    await scenario.agrees();
    expect(await load.run.metric('digest_mismatches_total')).toBe(0);
    expect(await load.run.stop()).toBe(0);
    expect(await scenario.problems()).toEqual([]);
    expect(await scenario.checkpointProblems()).toEqual([]);
    const ends = await waitFor('the ends of the raw topic', () => scenario.ends());
    tally({ faults: load.faults, alerts: [...ends.values()].reduce((sum, end) => sum + end, 0) });
  } catch (error) {
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`seed ${seed}: ${problem}\n${tail(load.run)}`, { cause: error });
  } finally {
    feeding.abort();
  }
}

function tail({ service }: ThrottlerRun): string {
  return service.running ? '' : `The throttler has ended; it printed:\n${service.output.slice(-4000)}`;
}
