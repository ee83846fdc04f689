// Users of Redis whose password and rights change, or who have none: the throttler says so, and alerts keep flowing.

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

describe('given a user of Redis', () => {
  const rights = ['resetkeys', '~throttle:*', 'resetchannels', '+@all'];
  const env = { REDIS_USERNAME: 'throttler', REDIS_PASSWORD: 'first-secret' };
  const setUser = (...rules: string[]): Promise<unknown> | undefined =>
    redis?.command('ACL', 'SETUSER', 'throttler', 'on', ...rules);

  test(
    'whose password and rights change, then alerts flow, and setting them back cures it',
    LONG,
    async () => {
      redis = await OwnRedis.start();
      await setUser('>first-secret', ...rights);
      trouble = await RedisTrouble.begin({ redis, seed, env });
      await setUser('resetpass', '>second-secret');
      await redis.cutAll();
      await trouble.degraded();
      await trouble.run.says('does not accept this user or password');
      await setUser('resetpass', '>first-secret');
      await trouble.recovered();

      // Cut off from its keys while it is connected.
      await setUser('resetkeys');
      expect(JSON.stringify(await trouble.degraded())).toContain('NOPERM');
      await setUser('~throttle:*');
      await trouble.recovered();
      expect(await trouble.run.metric('claims_lost_total')).toBe(0);
      await trouble.settled(2);
    },
  );

  test(
    'without rights from the start, then it is DEGRADED and says so, and the rights cure it',
    LONG,
    async () => {
      redis = await OwnRedis.start();
      // It may connect and ask Redis how it is, and that is all.
      await setUser('>first-secret', '-@all', '+info');
      trouble = await RedisTrouble.begin({ redis, seed, env, startsDegraded: true });
      expect(JSON.stringify(await trouble.degraded())).toContain('NOPERM');
      // So does one that would have a checkpoint to load.
      await trouble.killAndStart();
      await trouble.degraded();
      await setUser(...rights);
      await trouble.recovered();
      await trouble.settled(2);
    },
  );
});
