import { describe, expect, it } from 'vitest';

import type { FetchedBatch } from './ports.ts';
import { WaitingBatches } from './waiting-batches.ts';

function batch(fetchedOffset: number, end: number): FetchedBatch {
  const records = Array.from({ length: end - fetchedOffset }, (_, index) => ({
    offset: fetchedOffset + index,
    appendMs: 0,
    key: null,
    value: null,
    headers: undefined,
  }));
  return { records, fetchedOffset, end, highWatermark: end, heartbeat: () => Promise.resolve() };
}

function offsets(taken: FetchedBatch | undefined): (number | undefined)[] {
  return [taken?.fetchedOffset, ...(taken?.records.map(({ offset }) => offset) ?? []), taken?.end];
}

describe('batches that wait', () => {
  it('are taken together where they follow each other', () => {
    const waiting = new WaitingBatches(10);
    for (const one of [batch(3, 5), batch(5, 6), batch(6, 6), batch(6, 8)]) waiting.push(one);
    expect(waiting.records).toBe(5);
    expect(offsets(waiting.take())).toEqual([3, 3, 4, 5, 6, 7, 8]);
    expect(waiting.records).toBe(0);
    expect(waiting.take()).toBeUndefined();
  });

  it('are taken one after the other where offsets lie between them', () => {
    const waiting = new WaitingBatches(10);
    for (const one of [batch(0, 1), batch(2, 3)]) waiting.push(one);
    expect(offsets(waiting.take())).toEqual([0, 0, 1]);
    expect(offsets(waiting.take())).toEqual([2, 2, 3]);
  });

  it('are joined up to a number of records, and never cut', () => {
    const waiting = new WaitingBatches(3);
    for (const one of [batch(0, 2), batch(2, 3), batch(3, 4), batch(4, 9)]) waiting.push(one);
    expect(offsets(waiting.take())).toEqual([0, 0, 1, 2, 3]);
    expect(offsets(waiting.take())).toEqual([3, 3, 4]);
    expect(offsets(waiting.take())).toEqual([4, 4, 5, 6, 7, 8, 9]);
  });

  it('are forgotten together', () => {
    const waiting = new WaitingBatches(3);
    waiting.push(batch(0, 2));
    waiting.clear();
    expect(waiting.records).toBe(0);
    expect(waiting.take()).toBeUndefined();
  });
});
