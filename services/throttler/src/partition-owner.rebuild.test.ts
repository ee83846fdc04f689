// How an owner comes from a claim to the committed state, and what it does where that cannot be had.

import { releasedSchemas } from '@alert-throttle/alert';
import { PartitionFold } from '@alert-throttle/throttle';
import { describe, expect, it } from 'vitest';

import { settled } from './testing/gate.ts';
import { FIXTURE_LIMITS, type OwnerFixture, throttled } from './testing/owner-fixture.ts';
import { recordOf, STRANGE_SCHEMA } from './testing/random-records.ts';
import { START_MS } from './testing/raw-alerts.ts';

/** A claim that was lost is made again after this at the latest, while the group counts on the member. */
const RECLAIM_MS = 1000;

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

  it('starts over where another owner committed at the same offset meanwhile: that is no damage', async () => {
    const on = await throttled();
    await on.owner.stop();
    const late = on.successor();
    const release = late.gate.hold('load');
    await late.started();
    const other = on.successor();
    other.limits = { ...FIXTURE_LIMITS, alertThrottling: false };
    await other.started();
    await other.pass(1400);
    expect(other.stored).toMatchObject({ offset: 5, digest: other.metadata.digest });
    release();
    await late.run();
    expect(late.told.events).toEqual(['lost']);
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
