// Redis that keeps its connections and answers nothing for a while: alerts keep flowing, and the checkpoint is right
// afterwards.

import { faultRounds } from '@alert-throttle/test-kit';
import { afterEach, describe, expect, test } from 'vitest';

import { OwnRedis } from '../testing/own-redis.ts';
import { seedOf } from '../testing/random.ts';
import { RedisTrouble } from '../testing/redis-trouble.ts';

const seed = seedOf('FAULT_SEED');
const ROUNDS = faultRounds(1);
const LONG = { timeout: 90_000 + 90_000 * ROUNDS };

let redis: OwnRedis | undefined;
let trouble: RedisTrouble | undefined;

async function begin(...args: string[]): Promise<{ redis: OwnRedis; trouble: RedisTrouble }> {
  const made = await OwnRedis.start(...args);
  redis = made;
  const begun = await RedisTrouble.begin({ redis: made, seed });
  trouble = begun;
  return { redis: made, trouble: begun };
}

afterEach(async () => {
  await trouble?.close();
  await redis?.close();
  trouble = redis = undefined;
});

describe('given a Redis that is frozen in mid load', () => {
  test('then alerts flow, and it goes on when it is thawed', LONG, async () => {
    const { redis, trouble } = await begin();
    for (let round = 0; round < ROUNDS; round++) {
      redis.freeze();
      await trouble.degraded();
      redis.thaw();
      await trouble.recovered();
    }
    expect(await trouble.run.metric('claims_lost_total')).toBe(0);
    await trouble.settled(ROUNDS);
  });

  test('and the throttler killed and stopped meanwhile, then the log is enough', LONG, async () => {
    const { redis, trouble } = await begin();
    redis.freeze();
    await trouble.degraded();
    await trouble.killAndStart();
    expect(await trouble.run.metric('claims_total', 'how="log"')).toBe(2);
    await trouble.degraded();
    // A stop does not wait for Redis for longer than it has time.
    expect(await trouble.run.stop()).toBe(0);
    trouble.start();
    await trouble.degraded();
    redis.thaw();
    await trouble.recovered();
    await trouble.settled(3);
  });
});
