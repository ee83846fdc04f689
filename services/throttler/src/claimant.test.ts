import { formatOffsetMetadata, type OffsetMetadata, parseOffsetMetadata } from '@alert-throttle/throttle';
import { describe, expect, it } from 'vitest';

import { Checkpointer } from './checkpointer.ts';
import { Claimant, ClaimDelayed, type Claimed } from './claimant.ts';
import type { OwnerDependencies } from './owner-dependencies.ts';
import type { CommittedOffset } from './ports.ts';
import { decoded } from './testing/folding.ts';
import { OwnerFixture } from './testing/owner-fixture.ts';
import { START_MS } from './testing/raw-alerts.ts';

interface Attempt {
  readonly on: OwnerFixture;
  readonly checkpointer: Checkpointer;
  readonly claim: (lastCommitted?: CommittedOffset, fromLog?: boolean) => Promise<Claimed>;
}

function attempt(on = new OwnerFixture(), overrides: Partial<OwnerDependencies> = {}): Attempt {
  const deps = { ...on.deps, ...overrides };
  const checkpointer = new Checkpointer({
    store: deps.store,
    partition: 0,
    logger: deps.logger,
    onDegraded: () => undefined,
    onFlushed: () => undefined,
  });
  const claimant = new Claimant(deps, checkpointer, deps.logger);
  return {
    on,
    checkpointer,
    claim: (lastCommitted, fromLog = false) => claimant.claim(lastCommitted, fromLog),
  };
}

/** A partition whose owner stopped at offset 5, with an open interval of `c1`, and left its checkpoint. */
async function left(): Promise<OwnerFixture> {
  const on = await new OwnerFixture().started();
  on.append(5);
  await on.run();
  await on.owner.stop();
  return on.successor();
}

/** The same, but then four more records were decided and no checkpoint written. */
async function leftBehind(): Promise<OwnerFixture> {
  const on = await (await left()).started();
  on.checkpoints.away = true;
  on.append(4);
  await on.pass(1200);
  await on.owner.drop();
  on.checkpoints.away = false;
  return on.successor();
}

/** What is committed, with other metadata. */
function recommit(on: OwnerFixture, change: Partial<OffsetMetadata>): void {
  const { offset, metadata } = on.log.committed ?? { offset: 0, metadata: '' };
  on.log.setByHand(offset, formatOffsetMetadata({ ...parseOffsetMetadata(metadata), ...change }));
}

function brief(claimed: Claimed): string {
  if (claimed.kind === 'complete') return `${claimed.how} ${claimed.claim.position}`;
  const { how, rebuild } = claimed;
  return `${how} ${rebuild.from}..${rebuild.target}`;
}

describe('a claim', () => {
  it('fences before it reads the committed offset, and reads that before the checkpoint', async () => {
    const { claim, on } = attempt(await left());
    await claim();
    const at = (name: string): number => on.gate.calls.indexOf(name);
    expect(at('fence')).toBeGreaterThan(at('topicProblems'));
    expect(at('committed')).toBeGreaterThan(at('fence'));
    expect(at('load')).toBeGreaterThan(at('committed'));
  });

  it('waits for topics that are as they must be, and fences nobody till then', async () => {
    const { claim, on } = attempt();
    on.log.topicProblems = ['raw: no such topic; to set it right: create it', 'x'];
    await expect(claim()).rejects.toThrow(
      new ClaimDelayed('raw: no such topic; to set it right: create it\nx'),
    );
    expect(on.gate.calls).toEqual(['topicProblems']);
  });

  it.each(['fence', 'committed', 'bounds', 'groupHasCommits', 'throttledTopicIsEmpty'])(
    'that fails at %s closes its producer',
    async (name) => {
      const { claim, on } = attempt();
      on.gate.next(name, 'fails');
      await expect(claim()).rejects.toThrow(`${name} failed`);
      expect(on.gate.calls.at(-1)).toBe('close');
    },
  );

  it('that is refused says so, and closes its producer', async () => {
    const { claim, on } = attempt(await left());
    on.log.wipe();
    await expect(claim()).rejects.toThrow(ClaimDelayed);
    expect(on.refused).toEqual(['COMMITTED_BEYOND_LOG_END']);
    expect(on.gate.calls.at(-1)).toBe('close');
  });
});

describe('a first claim', () => {
  it('begins at the start of the log with the limits of the settings', async () => {
    const { claim, on } = attempt();
    on.append(9);
    on.log.truncate(4);
    const claimed = await claim();
    expect(brief(claimed)).toBe('first 4');
    expect(claimed.claim.history.limits).toEqual([{ ...on.limits, from: 4, at: 0 }]);
    expect(on.gate.calls).not.toContain('load');
  });

  it('begins at its end where that is asked for', async () => {
    const on = new OwnerFixture({}, { startFrom: 'latest' });
    on.append(9);
    expect(brief(await attempt(on).claim())).toBe('first 9');
  });

  it('is refused where the output is not the group’s own', async () => {
    const { claim, on } = attempt();
    on.log.throttledElsewhere = true;
    await expect(claim()).rejects.toThrow(ClaimDelayed);
    expect(on.refused).toEqual(['START_FROM_NEEDED']);
  });

  it.each(['groupHasCommits', 'throttledTopicIsEmpty'])(
    'takes no output for another’s that the group makes meanwhile in another partition (at %s)',
    async (name) => {
      const { claim, on } = attempt();
      const release = on.gate.hold(name);
      const claiming = claim();
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      on.log.othersCommitted = true;
      on.log.throttledElsewhere = true;
      release();
      expect(brief(await claiming)).toBe('first 0');
    },
  );

  it('does not begin anew where this process knows of a commit that the group has lost', async () => {
    const on = await left();
    const known = on.log.committed;
    on.log.commits.length = 0;
    expect(brief(await attempt(on).claim(known))).toBe('checkpoint 5..5');
  });

  it.each(['', 'x', '{"v":1}'])(
    'begins at an offset that was set by hand (metadata %j)',
    async (metadata) => {
      const on = await left();
      on.log.setByHand(2, metadata);
      const claimed = await attempt(on).claim();
      expect(brief(claimed)).toBe('first 2');
      expect(claimed.claim.fold.windowCount).toBe(0);
      expect(on.messages.at(-1)).toMatch(/set by hand/);
    },
  );
});

describe('a claim that goes on', () => {
  it('takes the checkpoint of the committed offset as it is', async () => {
    const on = await left();
    const claimed = await attempt(on).claim();
    expect(brief(claimed)).toBe('checkpoint 5..5');
    expect(claimed.claim.fold.digest()).toBe(on.metadata.digest);
    expect(claimed).toMatchObject({ expected: { digest: on.metadata.digest, atMicros: on.metadata.at } });
  });

  it('folds from an older checkpoint', async () => {
    expect(brief(await attempt(await leftBehind()).claim())).toBe('checkpoint 5..9');
  });

  it('folds from the log where the checkpoint is to be discarded', async () => {
    expect(brief(await attempt(await leftBehind()).claim(undefined, true))).toBe('log 0..9');
  });

  it.each([
    ['missing', (on) => on.checkpoints.lose()],
    ['in a Redis that is away', (on) => (on.checkpoints.away = true)],
    ['ahead of what is committed', (on) => on.log.setByHand(4, on.log.committed?.metadata)],
    ['of another version', (on) => note(on, '@version', '99')],
    ['damaged', (on) => note(on, '@digest', '0123456789abcdef')],
  ] satisfies [string, (on: OwnerFixture) => unknown][])(
    'folds from the log where it is %s',
    async (_, change) => {
      const on = await left();
      change(on);
      const claimed = await attempt(on).claim();
      expect(brief(claimed)).toBe(`log 0..${on.log.committed?.offset ?? -1}`);
      expect(claimed.claim.fold.windowCount).toBe(0);
    },
  );

  it('folds from the log where that no longer holds what follows the checkpoint', async () => {
    const on = await leftBehind();
    on.log.truncate(5);
    expect(brief(await attempt(on).claim())).toBe('checkpoint 5..9');
    on.log.truncate(6);
    expect(brief(await attempt(on).claim())).toBe('log 6..9');
  });

  it('takes a checkpoint of the committed offset whatever the log still holds', async () => {
    const on = await left();
    on.log.truncate(5);
    expect(brief(await attempt(on).claim())).toBe('checkpoint 5..5');
  });

  it('folds from where the group began, and not from what was before', async () => {
    const on = new OwnerFixture({}, { startFrom: 'latest' });
    on.append(9);
    await on.started();
    on.append(3);
    await on.run();
    expect(brief(await attempt(on.successor()).claim())).toBe('log 9..12');
  });

  it('takes no checkpoint of an earlier life of the group', async () => {
    const on = await leftBehind();
    on.log.setByHand(7);
    on.checkpoints.away = true;
    await on.started();
    on.append(2);
    await on.pass(1200);
    on.checkpoints.away = false;
    expect(brief(await attempt(on.successor()).claim())).toBe('log 7..11');
  });

  it('compares with nothing that another version of the fold has committed', async () => {
    const on = await left();
    recommit(on, { v: 99 });
    expect(await attempt(on).claim()).toMatchObject({ kind: 'rebuild', expected: undefined });
  });
});

function note(on: OwnerFixture, field: string, value: string): void {
  const { fields = new Map<string, string>(), throttled = new Map<string, number>() } =
    on.checkpoints.state(0) ?? {};
  on.checkpoints.put(0, { fields: new Map(fields).set(field, value), throttled });
}

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
