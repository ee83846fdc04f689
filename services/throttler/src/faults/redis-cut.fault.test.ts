// Connections to Redis cut in the middle of a flush: before Redis has all of it, or after it has done all of it and
// before the answer arrives. The flush is given up, and the whole state is written when Redis is reached again.

import { faultRounds } from '@alert-throttle/test-kit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { CutConnection } from '../testing/cut-connection.ts';
import { OwnRedis } from '../testing/own-redis.ts';
import { randomFrom, seedOf } from '../testing/random.ts';
import { RedisTrouble } from '../testing/redis-trouble.ts';

const seed = seedOf('FAULT_SEED');
const CUTS = faultRounds(8);
const LONG = { timeout: 60_000 + 15_000 * CUTS };
/** About as long as a flush is: some cuts are in the one under way, some in the replacement that follows. */
const MOST_BYTES = 8_000;

let redis: OwnRedis;
let proxy: CutConnection;
let trouble: RedisTrouble;

beforeEach(async () => {
  redis = await OwnRedis.start();
  proxy = await CutConnection.to(redis.url);
  trouble = await RedisTrouble.begin({ redis, seed, env: { REDIS_URL: proxy.url } });
});
afterEach(async () => {
  await trouble.close();
  await proxy.close();
  await redis.close();
});

describe('given connections to Redis that are cut in the middle of a flush', () => {
  test('anywhere, then alerts flow, and the checkpoint is right afterwards', LONG, async () => {
    const random = randomFrom(seed + 1);
    for (let cut = 1; cut <= CUTS; cut++) {
      if (random() < 0.4) proxy.insteadOfAnswer = true;
      else proxy.afterBytes = 1 + Math.floor(random() * MOST_BYTES);
      await trouble.run.until(`cut ${cut} (FAULT_SEED=${seed})`, () => Promise.resolve(proxy.cuts === cut));
      await trouble.flows();
    }
    await trouble.saysNext('DEGRADED: ');
    await trouble.recovered();
    expect(await trouble.run.metric('claims_lost_total')).toBe(0);
    await trouble.settled(CUTS);
    await nothingLeftForever();
  });

  test('and the throttler killed then, then the next one has a state to go on from', LONG, async () => {
    proxy.insteadOfAnswer = true;
    await trouble.run.until('a cut', () => Promise.resolve(proxy.cuts === 1));
    await trouble.killAndStart();
    proxy.afterBytes = 300;
    await trouble.run.until('another cut', () => Promise.resolve(proxy.cuts === 2));
    await trouble.killAndStart();
    expect(await trouble.run.metric('claims_total', 'how="checkpoint"')).toBe(2);
    await trouble.settled(4);
    await nothingLeftForever();
  });
});

/** Replacements that were begun and not finished must expire. */
async function nothingLeftForever(): Promise<void> {
  const keys = ((await redis.command('KEYS', '*:next:*')) as unknown[]).map(String);
  for (const key of keys) expect(await redis.command('TTL', key), key).toBeGreaterThan(0);
}
