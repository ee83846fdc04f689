// Redis that loses everything that it holds, without anybody noticing: it is filled again.

import { faultRounds } from '@alert-throttle/test-kit';
import { afterEach, describe, test } from 'vitest';

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

describe('given a Redis that is emptied', () => {
  test(
    'in mid run, again while nothing comes in, and before a kill, then it is filled again',
    LONG,
    async () => {
      const { redis, trouble } = await begin();
      for (let round = 0; round < ROUNDS; round++) {
        await redis.command('FLUSHALL');
        await trouble.saysNext('Redis holds another state');
        await trouble.flows();
      }
      await trouble.killAndStart();
      await redis.command('FLUSHALL');
      await trouble.killAndStart();
      await trouble.quiet();
      await redis.command('FLUSHALL');
      await trouble.scenario.checkpointsAgree();
      await trouble.settled(ROUNDS + 4);
    },
  );
});
