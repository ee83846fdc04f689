// Topics with a throttler's group, a folder with spools, and random numbers: what each fault test of the producer has.
import { readRaw, type ProducerPlace } from './producer-run.ts';
import { tally, testStack } from '@alert-throttle/test-kit';
import { randomFrom, Scenario, seedOf } from '@alert-throttle/throttler/testing';
import { expect, onTestFinished } from 'vitest';
import { fatesOf, type Fates } from './fate-of-alerts.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface FaultScene extends ProducerPlace {
  readonly seed: number;
  readonly random: () => number;
  readonly scenario: Scenario;
}

export const PARTITIONS = 3;

export async function faultScene(): Promise<FaultScene> {
  const seed = seedOf('FAULT_SEED');
  const scenario = await Scenario.create({ partitions: PARTITIONS });
  onTestFinished(() => scenario.close());
  return { seed, random: randomFrom(seed), scenario, topics: scenario.topics, folder: temporaryFolder() };
}

export function firstBroker(): string {
  return testStack().KAFKA_BROKERS.split(',')[0] ?? '';
}

/**
 * Checks that every alert that each node was given is in the raw topic in order, or announced as lost, and that a
 * throttler decides each of those in the topic once. The fates are by node.
 */
export async function accountFor(
  { scenario, topics, seed }: FaultScene,
  given: ReadonlyMap<string, number>,
): Promise<Map<string, Fates>> {
  const raw = await readRaw(topics);
  const fates = new Map<string, Fates>();
  for (const [nodeId, alerts] of given) {
    const found = fatesOf(
      raw.filter((record) => record.nodeId === nodeId),
      alerts,
    );
    expect(found.problems, `${nodeId}, FAULT_SEED=${seed}`).toEqual([]);
    fates.set(nodeId, found);
    tally({ alerts });
  }
  const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
  const lost = sum([...fates.values()].map((one) => one.lost));
  await decidedOnce(scenario, sum(given.values()) - lost, seed);
  return fates;
}

/** A throttler over the topic passes or counts so many alerts, and does with them what the pure core does. */
async function decidedOnce(scenario: Scenario, alerts: number, seed: number): Promise<void> {
  const run = scenario.start();
  await scenario.drained();
  await scenario.agrees();
  expect(await run.stop()).toBe(0);
  const decided = await scenario.throttledAlerts();
  const passed = decided.filter(({ Throttle, Lost }) => Throttle === null && Lost === null);
  const reports = decided.filter(({ Operation }) => Operation === 'AlertThresholdEnded');
  const dropped = reports.reduce((total, { Throttle }) => total + (Throttle?.DroppedAlerts ?? 0), 0);
  const ids = new Set(passed.map(({ NodeID, BootID, Sequence }) => `${NodeID}/${BootID}/${Sequence}`));
  expect(ids.size, `FAULT_SEED=${seed}`).toBe(passed.length);
  expect(passed.length + dropped, `passed and dropped, FAULT_SEED=${seed}`).toBe(alerts);
}
