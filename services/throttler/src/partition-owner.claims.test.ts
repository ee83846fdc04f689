// How an owner loses its claim on a partition and comes by another one.

import { PartitionFold } from '@alert-throttle/throttle';
import { describe, expect, it } from 'vitest';

import { settled } from './testing/gate.ts';
import { FIXTURE_LIMITS, live, OwnerFixture, throttled } from './testing/owner-fixture.ts';
import { recordOf, STRANGE_SCHEMA } from './testing/random-records.ts';
import { START_MS } from './testing/raw-alerts.ts';
import { releasedSchemas } from '@alert-throttle/alert';

/** A claim that was lost is made again after this at the latest, while the group counts on the member. */
const RECLAIM_MS = 1000;

describe('a claim that is lost', () => {
  it.each([
    ['send', 'fails'],
    ['commit', 'fails'],
    ['commit', 'lost'],
  ] as const)(
    'by a transaction (its %s %s): nothing is missing, nothing comes twice',
    async (name, fault) => {
      const on = await throttled();
      on.gate.next(name, fault);
      on.append(2, { ContainerID: 'c2' });
      await on.run();
      expect(on.owner.status().phase).toBe('claiming');
      await on.pass(RECLAIM_MS + 200);
      expect(on.owner.status()).toMatchObject({ phase: 'live', position: 7 });
      expect(on.outputs.slice(3)).toEqual(['c2 #5', 'c2 #6']);
      await on.pass(7000);
      expect(on.outputs.slice(5)).toEqual(['c1 AlertThresholdEnded 3']);
      expect(on.log.violations).toEqual([]);
    },
  );

  it('is made again only once the group shows that it counts on us', async () => {
    const on = await throttled();
    const alive = on.gate.hold('stillMember');
    const next = await on.successor().started();
    on.append(1, { ContainerID: 'c2' });
    await on.run();
    await on.pass(30_000);
    expect(on.owner.status().phase).toBe('claiming');
    await next.run();
    expect(next.outputs.at(-1)).toBe('c2 #5');
    alive();
    await on.run();
    expect(on.owner.status().phase).toBe('live');
  });

  it('is not made again after the partition was taken away', async () => {
    const on = await throttled();
    on.gate.next('commit', 'fails');
    on.append(1, { ContainerID: 'c2' });
    await on.run();
    await on.owner.drop();
    await on.pass(30_000);
    expect(on.owner.status().phase).toBe('stopped');
    expect(on.log.commits).toHaveLength(2);
    expect(on.clock.sleeping).toBe(0);
  });

  it('commits nothing any more once a newer owner exists', async () => {
    const on = await throttled();
    const next = await on.successor().started();
    on.append(4, { ContainerID: 'c2' });
    await next.run();
    await on.run();
    expect(on.owner.status().phase).toBe('claiming');
    expect(on.outputs.slice(3)).toEqual(['c2 #5', 'c2 #6', 'c2 AlertThreshold 1']);
  });
});

describe('a claim that fails', () => {
  it.each(['topicProblems', 'fence', 'committed', 'bounds', 'throttledTopicIsEmpty', 'groupHasCommits'])(
    'at %s is tried again, and says why meanwhile',
    async (name) => {
      const on = new OwnerFixture();
      on.gate.next(name, 'fails');
      await on.started();
      expect(on.owner.status()).toMatchObject({ phase: 'claiming', problem: `${name} failed` });
      await on.pass(1600);
      expect(on.owner.status()).toMatchObject({ phase: 'live', problem: undefined });
    },
  );

  it('in its first commit is made again', async () => {
    const on = new OwnerFixture();
    on.gate.next('commit', 'fails');
    await on.started();
    expect(on.log.commits).toEqual([]);
    await on.pass(RECLAIM_MS + 200);
    expect(on.owner.status().phase).toBe('live');
    expect(on.log.violations).toEqual([]);
  });

  it('says its problem in the log once, as long as it stays the same', async () => {
    const on = new OwnerFixture();
    on.log.topicProblems = ['raw: no such topic'];
    await on.started();
    await on.pass(10_000);
    expect(on.messages.filter((message) => message.includes('no such topic'))).toHaveLength(1);
    on.log.topicProblems = [];
    await on.pass(1600);
    expect(on.owner.status().phase).toBe('live');
  });

  it('is given up at a stop, and leaves nothing open', async () => {
    const on = await throttled();
    await on.owner.drop();
    const next = on.successor();
    const release = next.gate.hold('bounds');
    await next.started();
    await next.owner.stop();
    release();
    await next.run();
    expect(next.owner.status().phase).toBe('stopped');
    expect(next.gate.calls.at(-1)).toBe('close');
    expect(next.fetches.paused).toBe(true);
  });
});

describe('rebuilding', () => {
  /** A successor that must fold 40 records, of which it can fetch so many at once. */
  async function behind(): Promise<OwnerFixture> {
    const on = await throttled();
    on.checkpoints.away = true;
    on.append(35, { ContainerID: 'c2' });
    await on.run();
    await on.pass(1200);
    await on.owner.drop();
    return on.successor();
  }

  it('tells how much is left, and emits nothing', async () => {
    const on = await behind();
    const before = on.outputs.length;
    on.owner.start();
    await settled();
    expect(on.owner.status()).toMatchObject({ phase: 'rebuilding', position: 0, recordsLeft: 40 });
    expect(on.owner.status().secondsLeft).toBeUndefined();
    on.clock.advance(2000);
    on.fetches.deliver(on.owner, 10);
    await settled();
    expect(on.owner.status()).toMatchObject({
      phase: 'rebuilding',
      position: 10,
      recordsLeft: 30,
      secondsLeft: 6,
    });
    await on.run();
    expect(on.owner.status()).toMatchObject({ phase: 'live', position: 40, recordsLeft: 0 });
    expect(on.outputs).toHaveLength(before);
    expect(on.told.events).toEqual(['rebuilding 30', 'claimed from log']);
  });

  it('changes no limits and lets no time pass till it is done', async () => {
    const on = await behind();
    const commits = on.log.commits.length;
    on.owner.start();
    await settled();
    on.limits = { ...FIXTURE_LIMITS, maxAlertPerSec: 9 };
    void on.owner.applyLimits();
    for (let n = 0; n < 100; n++) {
      on.clock.advance(200);
      void on.owner.tick();
      await Promise.resolve();
    }
    await settled();
    expect(on.log.commits).toHaveLength(commits);
    await on.run();
    expect(on.metadata.limits).toMatchObject([{ maxAlertPerSec: 2 }, { from: 40, maxAlertPerSec: 9 }]);
  });

  it('goes on behind what no consumer is shown', async () => {
    const on = await throttled();
    on.log.appendHidden(3);
    await on.pass(1200);
    await on.owner.drop();
    on.checkpoints.lose();
    const next = await on.successor().started();
    expect(next.owner.status()).toMatchObject({ phase: 'live', position: 8 });
  });

  it('waits for a schema that it has to fetch', async () => {
    const on = await throttled();
    const newest = releasedSchemas.at(-1);
    if (newest === undefined) throw new Error('no schema');
    on.schemas.register(STRANGE_SCHEMA, newest.type);
    const spec = {
      kind: 'strange',
      container: 'c2',
      skewMicros: undefined,
      policy: 'p',
      sequence: 0,
    } as const;
    on.log.append(recordOf(spec, START_MS, 'strange'));
    await on.run();
    await on.owner.drop();
    const next = await on.successor().started();
    expect(next.owner.status()).toMatchObject({ phase: 'rebuilding', position: 5 });
    next.schemas.register(STRANGE_SCHEMA, newest.type);
    await next.run();
    expect(next.told.events.at(-1)).toBe('claimed from log');
  });

  it('starts over where the committed offset moved meanwhile', async () => {
    const on = await behind();
    on.owner.start();
    await settled();
    on.log.setByHand(41, on.log.committed?.metadata);
    on.log.appendHidden();
    await on.run();
    expect(on.owner.status().phase).toBe('claiming');
    expect(on.told.events.at(-1)).toBe('lost');
  });

  it('starts over where retention deleted what it still has to fold', async () => {
    const on = await behind();
    on.owner.start();
    await settled();
    on.fetches.deliver(on.owner, 10);
    await settled();
    on.log.truncate(20);
    await on.run();
    expect(on.told.events.at(-1)).toBe('lost');
    await on.pass(RECLAIM_MS + 200);
    expect(on.owner.status()).toMatchObject({ phase: 'live', position: 40 });
  });
});

describe('a digest that differs', () => {
  /** Puts a checkpoint of another state under the token of the committed one, in itself consistent. */
  function forge(on: OwnerFixture): void {
    const fold = new PartitionFold('default', on.metadata.at);
    const fields = new Map(on.checkpoints.state(0)?.fields);
    for (const field of fields.keys()) if (field.startsWith('default/')) fields.delete(field);
    on.checkpoints.put(0, { fields: fields.set('@digest', fold.digest()), throttled: new Map() });
  }

  it('discards the checkpoint and folds the log', async () => {
    const on = await throttled();
    await on.owner.stop();
    forge(on);
    const next = await on.successor().started();
    expect(next.told.events).toEqual(['digest mismatch', 'lost']);
    await next.pass(RECLAIM_MS + 200);
    expect(next.told.events).toEqual(['digest mismatch', 'lost', 'claimed from log', 'flushed 1']);
    await next.pass(7000);
    expect(next.outputs.slice(3)).toEqual(['c1 AlertThresholdEnded 3']);
  });

  it('is an alarm and no gate where the log itself says something else', async () => {
    const on = await throttled();
    await on.owner.stop();
    forge(on);
    // The first two alerts are gone: the state cannot be had any more.
    on.log.truncate(2);
    const next = await on.successor().started();
    await next.pass(RECLAIM_MS + 200);
    expect(next.told.events.slice(0, 4)).toEqual([
      'digest mismatch',
      'lost',
      'digest mismatch',
      'claimed from log',
    ]);
    expect(next.messages.filter((message) => message.startsWith('error'))).toEqual([
      expect.stringContaining('does not fit its digest either'),
    ]);
    next.append(1, { ContainerID: 'c3' });
    await next.run();
    expect(next.outputs.at(-1)).toBe('c3 #5');
  });
});

describe('retention that overtakes a live owner', () => {
  it('is announced, and the owner goes on at the start of the log', async () => {
    const on = await live();
    on.append(1);
    await on.run();
    on.fetches.pause();
    on.append(9, { ContainerID: 'c2' });
    on.log.truncate(6);
    on.fetches.seekAndResume(0, 1);
    await on.run();
    await on.pass(RECLAIM_MS + 200);
    expect(on.outputs).toEqual([
      'c1 #0',
      'partition:0 AlertsLost 1..5',
      'c2 #6',
      'c2 #7',
      'c2 AlertThreshold 1',
    ]);
  });
});

describe('a rebalance that leaves the partition here', () => {
  it('makes the fetches go on where the owner is', async () => {
    const on = await throttled();
    on.append(2, { ContainerID: 'c2' });
    on.fetches.position = 0;
    on.owner.refetch();
    expect(on.fetches.position).toBe(5);
    await on.run();
    expect(on.outputs.slice(3)).toEqual(['c2 #5', 'c2 #6']);
  });

  it('is no matter of a claim that is not made yet', async () => {
    const on = new OwnerFixture();
    on.owner.refetch();
    expect(on.fetches.paused).toBe(true);
    await on.started();
    expect(on.fetches.paused).toBe(false);
  });
});
