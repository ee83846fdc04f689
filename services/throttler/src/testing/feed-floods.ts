// Traffic for tests that disturb the throttler while it works.

import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario } from './scenario.ts';

const EVERY_MS = 100;
const CONTAINERS_PER_PARTITION = 3;

/** Alerts of some containers in each partition, now and then a flood, until told to stop. Returns how many. */
export async function feedFloods(
  scenario: Scenario,
  random: () => number,
  signal: AbortSignal,
): Promise<number> {
  const containers = Array.from({ length: scenario.partitions * CONTAINERS_PER_PARTITION }, (_, i) =>
    scenario.feed.containerIn(i % scenario.partitions, Math.floor(i / scenario.partitions)),
  );
  let count = 0;
  while (!signal.aborted) {
    const speaking = containers.filter(() => random() < 0.4);
    const alerts = speaking.flatMap((ContainerID) =>
      Array.from({ length: random() < 0.2 ? 6 : 1 }, () => scenario.feed.alert({ ContainerID })),
    );
    if (alerts.length > 0) await scenario.feed.send(alerts);
    count += alerts.length;
    await sleep(EVERY_MS);
  }
  return count;
}
