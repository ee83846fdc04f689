// Claims where retention deleted records before they were decided.

import { describe, expect, it } from 'vitest';

import { attempt, brief, left, leftBehind, recommit } from './testing/claim-attempt.ts';
import { decoded } from './testing/folding.ts';
import { START_MS } from './testing/raw-alerts.ts';

describe('a claim over a gap', () => {
  it('announces what retention deleted before it was decided', async () => {
    const on = await left();
    on.append(4);
    on.log.truncate(8);
    const { at } = on.metadata;
    const claimed = await attempt(on).claim();
    expect(brief(claimed)).toBe('gap 8');
    const [lost, ...others] = claimed.kind === 'complete' ? claimed.announcements : [];
    expect(others).toEqual([]);
    expect(lost).toMatchObject({
      topic: 'throttled',
      timestampMs: START_MS,
      key: Buffer.from('partition:0'),
    });
    expect(decoded(lost?.value, on.schemas)).toMatchObject({
      Type: 'SystemEvent',
      Operation: 'AlertsLost',
      EventTimeMicros: at,
      Lost: { LostAlerts: 3, First: 5, Last: 7, Counter: 'offset' },
    });
  });

  it('goes on with the windows where the checkpoint is the one of the committed offset', async () => {
    const on = await left();
    on.append(4);
    on.log.truncate(8);
    const { claim } = await attempt(on).claim();
    expect(claim.fold.digest()).toBe(on.metadata.digest);
    expect(claim.fold.openCount).toBe(1);
  });

  it('goes on with none, but with the time and limits, where there is no such checkpoint', async () => {
    const on = await leftBehind();
    on.limits = { ...on.limits, maxAlertPerSec: 7 };
    on.append(4);
    on.log.truncate(12);
    const { claim } = await attempt(on).claim();
    expect(claim.fold.windowCount).toBe(0);
    expect(claim.fold.timeMicros).toBe(on.metadata.at);
    expect(claim.history.limits).toMatchObject([{ from: 12, maxAlertPerSec: 2 }]);
  });

  it('discards a checkpoint that does not fit what is committed', async () => {
    const on = await left();
    recommit(on, { digest: '0123456789abcdef' });
    on.append(4);
    on.log.truncate(8);
    const { claim } = await attempt(on).claim();
    expect(claim.fold.windowCount).toBe(0);
    expect(on.told.events).toContain('digest mismatch');
  });

  it('announces it even where the committed offset says nothing of limits and time', async () => {
    const on = await left();
    on.log.setByHand(2);
    on.log.truncate(4);
    const claimed = await attempt(on).claim();
    expect(claimed).toMatchObject({ kind: 'complete', announcements: { length: 1 } });
    expect(claimed.claim.history.limits).toMatchObject([{ from: 4 }]);
  });

  it('reports no interval again that was reported when throttling was turned off', async () => {
    const on = await (await left()).started();
    on.checkpoints.away = true;
    on.limits = { ...on.limits, alertThrottling: false };
    await on.owner.applyLimits();
    expect(on.outputs.at(-1)).toBe('c1 AlertThresholdEnded 3');
    await on.owner.drop();
    on.checkpoints.away = false;
    on.append(2);
    on.log.truncate(6);
    const next = await on.successor().started();
    await next.pass(20_000);
    expect(next.outputs.filter((output) => output.includes('Ended'))).toHaveLength(1);
  });

  it('leaves a state that can be rebuilt without a checkpoint', async () => {
    const on = await leftBehind();
    on.append(4);
    on.log.truncate(12);
    on.checkpoints.lose();
    on.checkpoints.away = true;
    const next = on.successor();
    next.fetches.pause = () => undefined;
    next.owner.start();
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(next.log.committed?.offset).toBe(12);
    await next.owner.drop();
    const third = await on.successor().started();
    expect(third.told.events).toEqual(['claimed from log']);
    expect(third.outputs.filter((output) => output.includes('AlertsLost'))).toEqual([
      'partition:0 AlertsLost 9..11',
    ]);
  });
});
