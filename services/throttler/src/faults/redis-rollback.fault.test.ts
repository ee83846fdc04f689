// Redis put back to an older copy of itself: an older, correct pair of state and offset, which must not be mistaken
// for the one that was written last.

import { faultRounds } from '@alert-throttle/test-kit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { OwnRedis, type Snapshot } from '../testing/own-redis.ts';
import { seedOf } from '../testing/random.ts';
import { RedisTrouble } from '../testing/redis-trouble.ts';

const seed = seedOf('FAULT_SEED');
const ROUNDS = faultRounds(1);
const LONG = { timeout: 90_000 + 90_000 * ROUNDS };

let redis: OwnRedis;
let trouble: RedisTrouble;

beforeEach(async () => {
  redis = await OwnRedis.start('--enable-debug-command', 'yes');
  trouble = await RedisTrouble.begin({ redis, seed });
});
afterEach(async () => {
  await trouble.close();
  await redis.close();
});

/** What Redis held some records ago. */
async function olderSnapshot(): Promise<Snapshot> {
  const offset = await trouble.checkpointsBeyond(0);
  const snapshot = await redis.snapshot();
  await trouble.checkpointsBeyond(offset + 50);
  return snapshot;
}

describe('given a Redis that is rolled back', () => {
  test('by a restart, then alerts flow meanwhile, and the checkpoint is right afterwards', LONG, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const snapshot = await olderSnapshot();
      await redis.stop();
      await trouble.degraded();
      await redis.rollBack(snapshot);
      await trouble.recovered();
    }
    await trouble.settled(ROUNDS);
  });

  test('unnoticed, then the next flush sees it and replaces the whole', LONG, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const snapshot = await olderSnapshot();
      await redis.rollBackUnnoticed(snapshot);
      await trouble.saysNext('Redis holds another state');
      await trouble.flows();
    }
    expect(await trouble.run.metric('claims_lost_total')).toBe(0);
    await trouble.settled(ROUNDS);
  });

  test('and the throttler killed, then the next one goes on from the older checkpoint', LONG, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const snapshot = await olderSnapshot();
      await trouble.run.kill();
      await redis.rollBack(snapshot);
      trouble.start();
      await trouble.run.ready(2);
      expect(await trouble.run.metric('claims_total', 'how="checkpoint"')).toBe(2);
      const rebuilt = trouble.run.logged('rebuilding the state').filter((line) => 'checkpoint' in line);
      expect(rebuilt.map(({ checkpoint }) => typeof checkpoint)).toEqual(['number', 'number']);
    }
    await trouble.settled(2 * ROUNDS);
  });
});
