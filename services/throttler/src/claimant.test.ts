// What is done with a partition in every state that it can be found in.

import { describe, expect, it } from 'vitest';

import { ClaimDelayed } from './claimant.ts';
import { attempt, brief, left, leftBehind, note, recommit } from './testing/claim-attempt.ts';
import { OwnerFixture } from './testing/owner-fixture.ts';

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
      const { claim, checkpointer } = attempt(on);
      const claimed = await claim();
      expect(brief(claimed)).toBe(`log 0..${on.log.committed?.offset ?? -1}`);
      expect(claimed.claim.fold.windowCount).toBe(0);
      // Nothing of what is stored may stay behind.
      expect(checkpointer.mustReplace).toBe(true);
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
