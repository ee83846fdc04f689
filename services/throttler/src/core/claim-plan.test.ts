// Every row of the claim table.

import { describe, expect, it } from 'vitest';

import { type ClaimFacts, type ClaimPlan, planClaim } from './claim-plan.ts';

const committed = { offset: 50, metadata: 'm' };

/** A group that has not begun, over a log of [10, 100); the throttled topic is empty. */
function plan(facts: Partial<ClaimFacts> = {}): ClaimPlan {
  return planClaim({
    committed: undefined,
    bounds: { start: 10, end: 100 },
    startFrom: undefined,
    groupHasCommits: false,
    throttledTopicIsEmpty: true,
    ...facts,
  });
}

describe('a partition without a committed offset', () => {
  it.each([
    ['at the start of the log by default', {}, 10],
    ['at the start of the log where that is asked for', { startFrom: 'earliest' }, 10],
    ['at the end of the log where that is asked for', { startFrom: 'latest' }, 100],
    [
      'as asked for although there is output: earliest',
      { startFrom: 'earliest', throttledTopicIsEmpty: false },
      10,
    ],
    [
      'as asked for although there is output: latest',
      { startFrom: 'latest', throttledTopicIsEmpty: false },
      100,
    ],
    [
      'at the start where the output is the group’s own',
      { groupHasCommits: true, throttledTopicIsEmpty: false },
      10,
    ],
  ] satisfies [string, Partial<ClaimFacts>, number][])('begins %s', (_, facts, offset) => {
    expect(plan(facts)).toEqual({ kind: 'first', offset });
  });

  it('begins at offset 0 of an empty log either way', () => {
    const bounds = { start: 0, end: 0 };
    expect(plan({ bounds })).toEqual({ kind: 'first', offset: 0 });
    expect(plan({ bounds, startFrom: 'latest' })).toEqual({ kind: 'first', offset: 0 });
  });

  it('is refused where alerts may have been decided before, naming both choices', () => {
    const refused = plan({ throttledTopicIsEmpty: false });
    expect(refused).toMatchObject({ kind: 'refuse', code: 'START_FROM_NEEDED' });
    expect(refused).toHaveProperty(
      'message',
      expect.stringMatching(/START_FROM=earliest.*START_FROM=latest/),
    );
  });
});

describe('a partition with a committed offset', () => {
  it.each([
    ['inside the log', 50],
    ['at its very start', 10],
    ['at its very end', 100],
  ])('goes on there: %s', (_, offset) => {
    expect(plan({ committed: { offset, metadata: 'm' } })).toEqual({
      kind: 'resume',
      committed: { offset, metadata: 'm' },
    });
  });

  it('goes on there whatever START_FROM says, and whatever was written', () => {
    for (const startFrom of ['earliest', 'latest'] as const) {
      const facts = { committed, startFrom, groupHasCommits: true, throttledTopicIsEmpty: false };
      expect(plan(facts)).toEqual({ kind: 'resume', committed });
    }
  });

  it('goes on at the start of the log over what retention deleted', () => {
    expect(plan({ committed: { offset: 9, metadata: 'm' } })).toEqual({
      kind: 'gap',
      committed: { offset: 9, metadata: 'm' },
      to: 10,
    });
    expect(plan({ committed, bounds: { start: 100, end: 100 } })).toMatchObject({ kind: 'gap', to: 100 });
  });

  it('is refused beyond the end of the log', () => {
    expect(plan({ committed: { offset: 101, metadata: 'm' } })).toMatchObject({
      kind: 'refuse',
      code: 'COMMITTED_BEYOND_LOG_END',
      message: expect.stringMatching(/101.*100.*CONSUMER_GROUP/) as unknown,
    });
  });
});
