// An owner that has its partition: commits, idle time, limits, checkpoints.

import { releasedSchemas } from '@alert-throttle/alert';
import { describe, expect, it } from 'vitest';

import { settled } from './testing/gate.ts';
import { FIXTURE_LIMITS, live, OwnerFixture, throttled } from './testing/owner-fixture.ts';
import { recordOf, STRANGE_SCHEMA } from './testing/random-records.ts';
import { START_MS } from './testing/raw-alerts.ts';

describe('a live owner', () => {
  it('commits what goes out together with the offset behind it', async () => {
    const on = await throttled();
    expect(on.outputs).toEqual(['c1 #0', 'c1 #1', 'c1 AlertThreshold 1']);
    expect(on.log.commits.map(({ offset }) => offset)).toEqual([0, 5]);
    expect(on.owner.status()).toMatchObject({ phase: 'live', position: 5, limitsVersion: 'on-2-5' });
  });

  it('lets a batch without output ride in a later transaction, at the latest after a second', async () => {
    const on = await throttled();
    on.append(3);
    await on.run();
    expect(on.log.committed?.offset).toBe(5);
    await on.pass(800);
    expect(on.log.committed?.offset).toBe(5);
    await on.pass(400);
    expect(on.log.committed?.offset).toBe(8);
    on.append(1, { ContainerID: 'c2' });
    on.append(3);
    await on.run();
    expect(on.log.commits.at(-1)).toMatchObject({ offset: 12, outputs: { length: 1 } });
  });

  it('commits nothing where nothing happens', async () => {
    const on = await live();
    await on.pass(5000);
    expect(on.log.commits).toHaveLength(1);
  });

  it('moves over records that nobody is shown', async () => {
    const on = await throttled();
    on.log.appendHidden(2);
    await on.pass(1200);
    expect(on.log.committed?.offset).toBe(7);
    on.append(1, { ContainerID: 'c2' });
    await on.run();
    expect(on.outputs.at(-1)).toBe('c2 #7');
  });

  it('asks for what lies in front of them where they begin further on', async () => {
    const on = await throttled();
    on.append(1, { ContainerID: 'c2' });
    on.log.appendHidden(2);
    await on.owner.onSkipped(6, 8);
    expect([on.owner.status().position, on.fetches.position]).toEqual([5, 5]);
    await on.run();
    expect(on.outputs.slice(3)).toEqual(['c2 #5']);
    expect(on.owner.status().position).toBe(8);
  });

  it('commits a very large batch in pieces, with a sign of life between them', async () => {
    const on = await live();
    for (let n = 0; n < 12_000; n++) on.append(1, { ContainerID: `c${n}` });
    const batch = on.log.read(0, 20_000);
    let beats = 0;
    const heartbeat = (): Promise<void> => {
      beats += 1;
      return Promise.resolve();
    };
    if (batch) await on.owner.onBatch({ ...batch, heartbeat });
    expect(on.log.commits.map(({ offset, outputs }) => [offset, outputs.length])).toEqual([
      [0, 0],
      [5000, 5000],
      [10_000, 5000],
      [12_000, 2000],
    ]);
    expect(beats).toBe(2);
  });

  it('leaves the rest of it where the group rebalances meanwhile, and goes on there', async () => {
    const on = await live();
    for (let n = 0; n < 6000; n++) on.append(1, { ContainerID: `c${n}` });
    const batch = on.log.read(0, 20_000);
    const heartbeat = (): Promise<void> => Promise.reject(new Error('REBALANCE_IN_PROGRESS'));
    if (batch) await on.owner.onBatch({ ...batch, heartbeat });
    expect(on.owner.status()).toMatchObject({ phase: 'live', position: 5000 });
    on.owner.refetch();
    await on.run();
    expect(on.log.commits.map(({ offset }) => offset).slice(0, 2)).toEqual([0, 5000]);
    expect(on.log.committed?.offset).toBe(6000);
    expect(on.outputs.at(-1)).toBe('c5999 #5999');
  });

  it('reports an interval once its time has passed on an idle partition, a second late', async () => {
    const on = await throttled();
    await on.pass(5800);
    expect(on.outputs).toHaveLength(3);
    await on.pass(400);
    expect(on.outputs.slice(3)).toEqual(['c1 AlertThresholdEnded 3']);
    expect(on.log.committed?.offset).toBe(5);
    expect(on.metadata.idle).toEqual([[5, on.metadata.at]]);
  });

  it('lets no time pass while the log holds what was not read', async () => {
    const on = await throttled();
    on.append(1);
    on.fetches.pause();
    await on.pass(20_000);
    expect(on.outputs).toHaveLength(3);
    on.owner.refetch();
    await on.run();
    expect(on.outputs).toHaveLength(3);
    await on.pass(12_000);
    expect(on.outputs.slice(3)).toEqual(['c1 AlertThresholdEnded 4']);
  });

  it('goes on from the idle time that its predecessor has committed', async () => {
    const on = new OwnerFixture();
    on.limits = { ...FIXTURE_LIMITS, throttleSec: 20 };
    await on.started();
    on.append(5);
    await on.run();
    await on.pass(16_200);
    const next = await on.successor().started();
    await next.pass(5000);
    expect(next.outputs).toHaveLength(3);
    await next.pass(2000);
    expect(next.outputs.slice(3)).toEqual(['c1 AlertThresholdEnded 3']);
  });

  it('waits in front of a record whose schema it must fetch, and lets no time pass', async () => {
    const on = await throttled();
    const spec = {
      kind: 'strange',
      container: 'c2',
      skewMicros: undefined,
      policy: 'p',
      sequence: 0,
    } as const;
    on.append(1, { ContainerID: 'c3' });
    on.log.append(recordOf(spec, START_MS, 'strange'));
    on.append(1, { ContainerID: 'c4' });
    await on.run();
    expect(on.owner.status().position).toBe(6);
    await on.pass(30_000);
    expect(on.outputs.slice(3)).toEqual(['c3 #5']);
    const newest = releasedSchemas.at(-1);
    if (newest) on.schemas.register(STRANGE_SCHEMA, newest.type);
    await on.run();
    expect(on.outputs.slice(4)).toEqual(['c2 strange', 'c4 #7']);
  });

  it('keeps the idle time in front of a record that it cannot fold yet', async () => {
    const on = await throttled();
    await on.pass(6400);
    const spec = {
      kind: 'strange',
      container: 'c2',
      skewMicros: undefined,
      policy: 'p',
      sequence: 0,
    } as const;
    on.log.append(recordOf(spec, START_MS + on.clock.nowMs(), 'strange'));
    await on.pass(2000);
    on.checkpoints.lose();
    const next = await on.successor().started();
    expect(next.told.events).toEqual(['claimed from log']);
    expect(next.outputs.slice(3)).toEqual(['c1 AlertThresholdEnded 3']);
  });

  it('asks for what it expects where something else was fetched', async () => {
    const on = await throttled();
    on.append(2, { ContainerID: 'c2' });
    for (const wrong of [0, 6]) {
      on.fetches.seekAndResume(0, wrong);
      on.fetches.deliver(on.owner);
      await settled();
      expect([on.fetches.position, on.owner.status().position]).toEqual([5, 5]);
    }
    await on.run();
    expect(on.outputs.slice(3)).toEqual(['c2 #5', 'c2 #6']);
  });

  it('tells how far it is behind', async () => {
    const on = await live();
    on.append(10);
    on.fetches.deliver(on.owner, 4);
    await settled();
    expect(on.told.lagRecords).toBe(6);
    on.owner.noteEnd(30);
    expect(on.told.lagRecords).toBe(26);
  });
});

describe('limits', () => {
  it('change at the offset reached, in a commit of its own', async () => {
    const on = await throttled();
    on.limits = { ...FIXTURE_LIMITS, maxAlertPerSec: 1 };
    await on.owner.applyLimits();
    expect(on.metadata.limits).toMatchObject([
      { from: 0, maxAlertPerSec: 2 },
      { from: 5, maxAlertPerSec: 1 },
    ]);
    expect(on.owner.status().limitsVersion).toBe('on-1-5');
    await on.owner.applyLimits();
    expect(on.log.commits).toHaveLength(3);
  });

  it('stay as they were until they are applied, whatever the settings say', async () => {
    const on = await live();
    on.limits = { ...FIXTURE_LIMITS, alertThrottling: false };
    on.append(4);
    await on.run();
    expect(on.outputs).toEqual(['c1 #0', 'c1 #1', 'c1 AlertThreshold 1']);
    expect(on.metadata.limits).toMatchObject([{ from: 0, alertThrottling: true }]);
  });

  it('that turn throttling off report what is open', async () => {
    const on = await throttled();
    on.limits = { ...FIXTURE_LIMITS, alertThrottling: false };
    await on.owner.applyLimits();
    on.append(3);
    await on.run();
    expect(on.outputs.slice(3)).toEqual(['c1 AlertThresholdEnded 3', 'c1 #5', 'c1 #6', 'c1 #7']);
  });

  it('that were changed while nobody had the partition are in force from its claim on', async () => {
    const on = await throttled();
    await on.owner.stop();
    const next = on.successor();
    next.limits = { ...FIXTURE_LIMITS, maxAlertPerSec: 1 };
    await next.started();
    expect(next.metadata.limits).toMatchObject([{ from: 0 }, { from: 5, maxAlertPerSec: 1 }]);
    expect(next.owner.status().limitsVersion).toBe('on-1-5');
  });
});

describe('the checkpoint', () => {
  it('follows the commits within a second', async () => {
    const on = await throttled();
    await on.pass(1400);
    expect(on.stored).toEqual({ offset: 5, digest: on.metadata.digest });
  });

  it('follows as fast where throttling was turned off', async () => {
    const on = await throttled();
    await on.pass(1400);
    on.limits = { ...FIXTURE_LIMITS, alertThrottling: false };
    await on.owner.applyLimits();
    await on.pass(1400);
    expect(on.stored).toEqual({ offset: 5, digest: on.metadata.digest });
    expect(on.checkpoints.state(0)?.throttled.size).toBe(0);
  });

  it('is never ahead of them', async () => {
    const on = await throttled();
    on.append(3);
    await on.run();
    await on.pass(800);
    expect(on.stored?.offset ?? 0).toBeLessThanOrEqual(5);
    expect(on.owner.status().position).toBe(8);
  });

  it('is written at a stop, so that the next owner folds nothing', async () => {
    const on = await throttled();
    on.append(3);
    await on.run();
    await on.owner.stop();
    expect(on.log.committed?.offset).toBe(8);
    expect(on.stored).toEqual({ offset: 8, digest: on.metadata.digest });
    const next = await on.successor().started();
    expect(next.told.events).toEqual(['claimed from checkpoint']);
    expect(next.gate.calls).not.toContain('replace');
  });

  it('comes back by itself after Redis lost it, on an idle partition too', async () => {
    const on = await throttled();
    await on.pass(15_000);
    on.checkpoints.lose();
    await on.pass(15_000);
    expect(on.stored).toEqual({ offset: 5, digest: on.metadata.digest });
    expect(on.told.degradedNow).toBe(false);
  });

  it('is tried again while Redis is away, and alerts keep flowing', async () => {
    const on = await live();
    on.checkpoints.away = true;
    on.append(1);
    await on.pass(5000);
    expect(on.outputs).toEqual(['c1 #0']);
    expect(on.told.degradedNow).toBe(true);
    on.checkpoints.away = false;
    await on.pass(4000);
    expect(on.stored?.offset).toBe(1);
    expect(on.told.degradedNow).toBe(false);
  });
});
