import { describe, expect, it } from 'vitest';
import { behind, reached, stageOf, type Progress } from './completion.ts';

/** Two partitions: the first with records, the second empty. */
const done: Progress = {
  producerDone: true,
  rawEnd: [10, 0],
  committed: [10, 0],
  rawRead: [10, 0],
  throttledEnd: [7, 0],
  throttledRead: [7, 0],
  openIntervals: 0,
  unaccounted: false,
  patienceOver: false,
};

describe('the stage of a run', () => {
  it('is done when everything was produced, judged, read and reported', () => {
    expect(stageOf(done)).toBe('done');
  });

  it.each([
    ['producing', { producerDone: false }],
    ['throttling', { committed: [9, 0] }],
    ['throttling', { committed: [-1, -1] }],
    ['throttling', { committed: [10] }],
    ['reading', { throttledEnd: undefined }],
    ['reading', { rawRead: [9, 0] }],
    ['reading', { throttledRead: [6, 0] }],
    ['waitingForReports', { openIntervals: 1 }],
    ['waitingForReports', { openIntervals: 1, unaccounted: true }],
    ['reconciling', { unaccounted: true }],
    ['done', { unaccounted: true, patienceOver: true }],
  ] as const)('is %s with %o', (stage, change) => {
    expect(stageOf({ ...done, ...change })).toBe(stage);
  });

  it('is done where others went on writing', () => {
    expect(stageOf({ ...done, committed: [12, 3], rawRead: [11, 1], throttledRead: [9, 1] })).toBe('done');
  });
});

describe('positions', () => {
  it('reach their targets in every partition or not at all', () => {
    expect(reached([3, 4], [3, 4])).toBe(true);
    expect(reached([3, 4], [3, 5])).toBe(false);
    expect(reached([], [0])).toBe(false);
  });

  it('count what is missing, and nothing where they are ahead', () => {
    expect(behind([3, 9], [5, 4])).toBe(2);
    expect(behind([-1], [0])).toBe(0);
    expect(behind([-1], [4])).toBe(4);
  });
});
