// Redis killed and started again in mid load, with and without its data: alerts keep flowing, and the checkpoint is
// right afterwards.

import { faultRounds } from '@alert-throttle/test-kit';
import { afterEach, describe, expect, test } from 'vitest';

import { KEEPS_DATA, OwnRedis } from '../testing/own-redis.ts';
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

describe('given a Redis that is restarted in mid load', () => {
  test.each([
    ['with its data', KEEPS_DATA],
    ['without its data', []],
  ])('%s, then alerts flow, and the checkpoint is whole again', LONG, async (_name, args) => {
    const { redis, trouble } = await begin(...args);
    for (let round = 0; round < ROUNDS; round++) {
      await redis.stop();
      await trouble.degraded();
      await redis.start();
      expect((await redis.command('DBSIZE')) === 0).toBe(args.length === 0);
      await trouble.recovered();
    }
    expect(await trouble.run.metric('claims_lost_total')).toBe(0);
    await trouble.settled(ROUNDS);
  });

  test('and the throttler killed meanwhile, then the state is rebuilt from the log', LONG, async () => {
    const { redis, trouble } = await begin();
    for (let round = 0; round < ROUNDS; round++) {
      await redis.stop();
      await trouble.degraded();
      await trouble.killAndStart();
      expect(await trouble.run.metric('claims_total', 'how="log"')).toBe(2);
      await trouble.degraded();
      await redis.start();
      await trouble.recovered();
    }
    await trouble.settled(2 * ROUNDS);
  });
});
