// Traffic for tests that disturb the throttler while it works.

import { setTimeout as sleep } from 'node:timers/promises';

import type { Scenario } from './scenario.ts';

/** So often that there is hardly a moment without a transaction. */
const EVERY_MS = 20;
/** So many that most alerts pass. */
const CONTAINERS_PER_PARTITION = 40;
const FLOOD_PROBABILITY = 0.05;
const FLOOD_ALERTS = 8;

/**
 * One alert in each partition again and again, now and then a flood, until told to stop. Returns how many. A Kafka
 * of a test's own may be disturbed: what it does not take then is given up, and what it took twice lies there twice.
 */
export async function feedFloods(
  scenario: Scenario,
  random: () => number,
  signal: AbortSignal,
): Promise<number> {
  const { feed, partitions } = scenario;
  const containers = Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: CONTAINERS_PER_PARTITION }, (_, index) => feed.containerIn(partition, index)),
  );
  let count = 0;
  while (!signal.aborted) {
    const alerts = containers.flatMap((ids) => {
      const ContainerID = ids[Math.floor(random() * ids.length)] ?? '';
      const length = random() < FLOOD_PROBABILITY ? FLOOD_ALERTS : 1;
      return Array.from({ length }, () => feed.alert({ ContainerID }));
    });
    try {
      await feed.send(alerts);
      count += alerts.length;
    } catch (error) {
      if (scenario.otherKafka === undefined) throw error;
      await feed.reconnect();
    }
    await sleep(EVERY_MS);
  }
  return count;
}
