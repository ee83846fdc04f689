// Redis without memory, and Redis that became a replica: it answers, and takes no writes.

import { faultRounds } from '@alert-throttle/test-kit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { freePort, OwnRedis } from '../testing/own-redis.ts';
import { seedOf } from '../testing/random.ts';
import { RedisTrouble } from '../testing/redis-trouble.ts';

const seed = seedOf('FAULT_SEED');
const ROUNDS = faultRounds(1);
const LONG = { timeout: 90_000 + 90_000 * ROUNDS };

let redis: OwnRedis;
let trouble: RedisTrouble;

beforeEach(async () => {
  redis = await OwnRedis.start('--maxmemory-policy', 'noeviction');
  trouble = await RedisTrouble.begin({ redis, seed });
});
afterEach(async () => {
  await trouble.close();
  await redis.close();
});

const errorIn = (line: Readonly<Record<string, unknown>>): string => JSON.stringify(line['err']);

describe('given a Redis without memory', () => {
  test('then alerts flow, an older checkpoint stays, and memory cures it', LONG, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      expect(errorIn(await trouble.degraded())).toContain('OOM');
      // What it holds can still be read, and is gone on from.
      await trouble.killAndStart();
      expect(await trouble.run.metric('claims_total', 'how="checkpoint"')).toBe(2);
      await trouble.degraded();
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      await trouble.recovered();
    }
    await trouble.settled(2 * ROUNDS);
  });
});

describe('given a Redis that became a replica', () => {
  test('then alerts flow, and its promotion cures it', LONG, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await redis.command('REPLICAOF', '127.0.0.1', String(await freePort()));
      expect(errorIn(await trouble.degraded())).toContain('READONLY');
      await redis.command('REPLICAOF', 'NO', 'ONE');
      await trouble.recovered();
    }
    await trouble.settled(ROUNDS);
  });
});
