// Killed at any moment, nothing is lost and nothing is doubled.

import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { feedFloods } from './testing/feed-floods.ts';
import { randomFrom, seedOf } from './testing/random.ts';
import { Scenario } from './testing/scenario.ts';

const KILLS = 10;

describe('given kill -9, ten times at random, while alerts come in', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 4 });
  });
  afterAll(() => scenario.close());

  test(
    'then a read_committed consumer misses nothing and sees nothing twice',
    { timeout: 400_000 },
    async () => {
      const seed = seedOf('THROTTLER_KILL_SEED');
      const random = randomFrom(seed);
      const feeding = new AbortController();
      const fed = feedFloods(scenario, randomFrom(seed + 1), feeding.signal);
      for (let kill = 0; kill < KILLS; kill++) {
        const run = scenario.start();
        // Most of them while it works; some while it joins or claims.
        if (random() < 0.7) await run.ready();
        await sleep(random() * 2500);
        await run.kill();
      }
      feeding.abort();
      const alerts = await fed;
      const run = scenario.start();
      await scenario.drained();
      await scenario.agrees();
      expect(await run.metric('digest_mismatches_total')).toBe(0);
      expect(await run.stop()).toBe(0);
      expect(await scenario.problems(), `seed ${seed}`).toEqual([]);
      expect(await scenario.checkpointProblems(), `seed ${seed}`).toEqual([]);
      expect(alerts).toBeGreaterThan(1000);
    },
  );
});
