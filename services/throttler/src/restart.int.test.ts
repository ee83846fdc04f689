// Restarts: an open interval is reported although nothing more comes; after SIGTERM the next start folds nothing.

import { waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { OwnRedis } from './testing/own-redis.ts';
import { Scenario } from './testing/scenario.ts';

describe('given an interval that is open when the throttler is killed', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 2, limits: { throttleSec: 10 } });
  });
  afterAll(() => scenario.close());

  const operations = async (): Promise<string[]> =>
    (await scenario.throttledAlerts()).map(({ Operation }) => Operation);

  test('then it is reported once after the restart, without one record more', async () => {
    const first = scenario.start();
    await first.ready(2);
    const container = scenario.feed.containerIn(1, 0);
    await scenario.feed.send(
      Array.from({ length: 30 }, () => scenario.feed.alert({ ContainerID: container })),
    );
    await scenario.drained();
    await first.kill();
    expect(await operations()).toEqual(['Process', 'Process', 'Process', 'AlertThreshold']);

    const second = scenario.start();
    await scenario.agrees();
    expect(await operations()).toEqual([
      'Process',
      'Process',
      'Process',
      'AlertThreshold',
      'AlertThresholdEnded',
    ]);
    await second.kill();

    // That time passed without a record is committed: whoever folds the log again knows of the report.
    await scenario.deleteCheckpoints();
    const third = scenario.start();
    await third.ready(2);
    expect(await third.metric('claims_total', 'how="log"')).toBe(2);
    expect(await third.metric('digest_mismatches_total')).toBe(0);
    expect(await third.stop()).toBe(0);
    expect(await scenario.problems()).toEqual([]);
  });
});

describe('given SIGTERM', () => {
  let scenario: Scenario;
  let redis: OwnRedis;

  beforeAll(async () => {
    redis = await OwnRedis.start();
    scenario = await Scenario.create({ partitions: 4, redisUrl: redis.url, limits: { throttleSec: 600 } });
  });
  afterAll(async () => {
    await scenario.close();
    await redis.close();
  });

  test('then it ends with 0, its checkpoint is the committed state, and the next start folds nothing', async () => {
    const first = scenario.start();
    await first.ready(4);
    const containers = [0, 1, 2, 3].flatMap((partition) =>
      [0, 1, 2].map((index) => scenario.feed.containerIn(partition, index)),
    );
    const round = (): Promise<unknown> =>
      scenario.feed.send(containers.map((ContainerID) => scenario.feed.alert({ ContainerID })));
    for (let i = 0; i < 3; i++) {
      await round();
      await scenario.drained();
    }
    // In the middle of the work: the last rounds are not in Redis yet, and perhaps not even read.
    await round();
    await round();
    const code = await first.stop();
    expect({ code, log: first.logged('stopped').length }).toEqual({ code: 0, log: 1 });
    expect(first.logged('the stop took too long')).toEqual([]);
    expect(await scenario.checkpointProblems()).toEqual([]);

    const second = scenario.start();
    await second.ready(4);
    expect(await second.metric('claims_total', 'how="checkpoint"')).toBe(4);
    expect(await second.metric('claims_total')).toBe(4);
    expect(second.logged('rebuilding the state')).toEqual([]);
    await scenario.drained();
    await scenario.agrees({ endMicros: () => 0 });
    expect(await second.stop()).toBe(0);
    expect(await scenario.checkpointProblems()).toEqual([]);
  });

  test('and Redis does not answer, then it ends with 0 all the same', async () => {
    const run = scenario.start();
    await run.ready(4);
    redis.freeze();
    await scenario.feed.send([scenario.feed.alert({ ContainerID: scenario.feed.containerIn(0, 7) })]);
    await scenario.drained();
    const code = await run.stop();
    redis.thaw();
    expect({ code, late: run.logged('the stop took too long') }).toEqual({ code: 0, late: [] });
  });

  test('and a second one while it stops, then it ends at once', async () => {
    const run = scenario.start();
    await run.ready(4);
    // What it has to flush hangs, so the stop takes some seconds.
    redis.freeze();
    await scenario.feed.send([scenario.feed.alert({ ContainerID: scenario.feed.containerIn(0, 8) })]);
    await scenario.drained();
    run.service.kill('SIGTERM');
    await run.says('stopping');
    // Signals that come close together are taken for one.
    await waitFor('its end', () => {
      run.service.kill('SIGTERM');
      return !run.service.running;
    });
    const { code } = await run.service.exited;
    redis.thaw();
    expect({ code, stopped: run.logged('stopped') }).toEqual({ code: 130, stopped: [] });
  });

  test('before the group is joined, then it ends with 0', async () => {
    const run = scenario.start();
    await waitFor('its start', () => run.logged('throttler starting').length > 0);
    expect(await run.stop()).toBe(0);
  });
});
