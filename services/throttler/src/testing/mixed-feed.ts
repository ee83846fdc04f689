// Traffic for fault tests whose transactions are to have several sends: floods, and now and then what is no alert
// and goes to the other topic. And the comparison of all that came of it.

import { setTimeout as sleep } from 'node:timers/promises';

import { readTopic } from '@alert-throttle/test-kit';
import { expect } from 'vitest';

import type { LoggedRecord } from './oracle.ts';
import type { RawMessage } from './raw-feed.ts';
import type { Scenario } from './scenario.ts';

const EVERY_MS = 40;
const CONTAINERS_PER_PARTITION = 40;
const FLOOD_PROBABILITY = 0.05;
const FLOOD_ALERTS = 8;
const POISON_PROBABILITY = 0.15;

/** Feeds every partition until told to stop. */
export async function feedMixed(
  { feed, partitions }: Scenario,
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  const containers = Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: CONTAINERS_PER_PARTITION }, (_, index) => feed.containerIn(partition, index)),
  );
  for (let round = 0; !signal.aborted; round++) {
    const messages = containers.flatMap((ids, partition): RawMessage[] => {
      const ContainerID = ids[Math.floor(random() * ids.length)] ?? '';
      const length = random() < FLOOD_PROBABILITY ? FLOOD_ALERTS : 1;
      const alerts = Array.from({ length }, () => feed.message(feed.alert({ ContainerID })));
      return random() < POISON_PROBABILITY ? [...alerts, poison(partition, round)] : alerts;
    });
    await feed.sendRaw(messages);
    await sleep(EVERY_MS);
  }
}

function poison(partition: number, round: number): RawMessage {
  return { partition, key: `poison-${round}`, value: Buffer.from(`no alert ${partition}/${round}`) };
}

/** What `feedMixed` wrote that is no alert: an alert begins with a zero byte. */
export function isPoison({ value }: LoggedRecord): boolean {
  return value !== null && value[0] !== 0;
}

/**
 * A clean process decides what is left; then everything that came out must be what the pure core says, once each.
 * Returns how many records were compared.
 */
export async function allAgrees(scenario: Scenario, told: string): Promise<number> {
  const run = scenario.start();
  await scenario.drained(90_000);
  const raw = await readTopic(scenario.topics.raw);
  await scenario.agrees({ raw, isPoison });
  expect(await run.metric('digest_mismatches_total'), told).toBe(0);
  expect(await run.stop(), told).toBe(0);
  expect(await scenario.problems({ raw, isPoison }), told).toEqual([]);
  expect(await scenario.checkpointProblems({ isPoison }), told).toEqual([]);
  const letters = await readTopic(scenario.topics.deadLetter);
  expect(
    letters.map(({ partition, headers }) => [partition, Number(headers['offset'])]),
    told,
  ).toEqual(raw.filter(isPoison).map(({ partition, offset }) => [partition, offset]));
  return raw.length;
}
