// How an owner loses its claim on a partition and comes by another one.

import { describe, expect, it } from 'vitest';

import { live, OwnerFixture, throttled } from './testing/owner-fixture.ts';

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
      expect([on.fetches.paused, on.gate.calls.at(-1)]).toEqual([true, 'close']);
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
