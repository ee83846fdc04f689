// Passwords that a throttler has not or no longer: it says what to set, and alerts keep flowing.

import { afterEach, describe, expect, test } from 'vitest';

import { OwnRedis } from '../testing/own-redis.ts';
import { seedOf } from '../testing/random.ts';
import { RedisTrouble } from '../testing/redis-trouble.ts';

const seed = seedOf('FAULT_SEED');
const LONG = { timeout: 180_000 };

let redis: OwnRedis | undefined;
let trouble: RedisTrouble | undefined;

afterEach(async () => {
  await trouble?.close();
  await redis?.close();
  trouble = redis = undefined;
});

/** Everything that it has logged. */
const toldBy = ({ run }: RedisTrouble): string => run.service.output;

describe('given a Redis that asks for a password', () => {
  test(
    'and a throttler without, then it says why, alerts flow, and the password cures it',
    LONG,
    async () => {
      redis = await OwnRedis.start('--requirepass', 'first-secret');
      redis.password = 'first-secret';
      trouble = await RedisTrouble.begin({ redis, seed, startsDegraded: true });
      await trouble.degraded();
      expect(toldBy(trouble)).toContain('REDIS_PASSWORD');
      trouble.env = { REDIS_PASSWORD: 'first-secret' };
      await trouble.killAndStart();
      expect(await trouble.run.metric('claims_total', 'how="log"')).toBe(2);
      await trouble.metricBecomes(0);
      await trouble.settled(2);
      expect(toldBy(trouble)).not.toContain('first-secret');
    },
  );

  test(
    'and changes it, then the old one set back cures it, and so does a start with the new one',
    LONG,
    async () => {
      redis = await OwnRedis.start('--requirepass', 'first-secret');
      redis.password = 'first-secret';
      trouble = await RedisTrouble.begin({ redis, seed, env: { REDIS_PASSWORD: 'first-secret' } });
      const become = async (password: string): Promise<void> => {
        await redis?.command('CONFIG', 'SET', 'requirepass', password);
        if (redis !== undefined) redis.password = password;
      };
      await become('second-secret');
      await redis.cutAll();
      await trouble.degraded();
      await trouble.run.says('does not accept this user or password');
      await become('first-secret');
      await trouble.recovered();

      await become('third-secret');
      await redis.cutAll();
      await trouble.degraded();
      // Killed while Redis is locked, and started without being told: the log is enough.
      await trouble.killAndStart();
      expect(await trouble.run.metric('claims_total', 'how="log"')).toBe(2);
      await trouble.degraded();
      expect(toldBy(trouble)).not.toMatch(/(first|second|third)-secret/);
      trouble.env = { REDIS_PASSWORD: 'third-secret' };
      await trouble.killAndStart();
      await trouble.metricBecomes(0);
      await trouble.settled(5);
      expect(toldBy(trouble)).not.toMatch(/(first|second|third)-secret/);
    },
  );
});
