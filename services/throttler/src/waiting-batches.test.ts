import { PartitionRecords } from '@alert-throttle/kafka';
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
  return {
    records: PartitionRecords.of(records),
    fetchedOffset,
    end,
    highWatermark: end,
    heartbeat: () => Promise.resolve(),
  };
}

function offsets(taken: FetchedBatch | undefined): (number | undefined)[] {
  return [taken?.fetchedOffset, ...[...(taken?.records ?? [])].map(({ offset }) => offset), taken?.end];
}

describe('batches that wait', () => {
  it('are taken together where they follow each other', () => {
    const waiting = new WaitingBatches(10);
    const all = [batch(3, 5), batch(5, 6), batch(6, 6), batch(6, 8)] as const;
    for (const one of all) waiting.push(one);
    expect(offsets(waiting.take(all[0]))).toEqual([3, 3, 4, 5, 6, 7, 8]);
    expect(all.map((one) => waiting.take(one))).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('are taken one after the other where offsets lie between them, each in its turn', () => {
    const waiting = new WaitingBatches(10);
    const [one, other] = [batch(0, 1), batch(2, 3)];
    waiting.push(one);
    waiting.push(other);
    expect(waiting.take(other)).toBeUndefined();
    expect(offsets(waiting.take(one))).toEqual([0, 0, 1]);
    expect(offsets(waiting.take(other))).toEqual([2, 2, 3]);
  });

  it('are joined up to a number of records, and never cut', () => {
    const waiting = new WaitingBatches(3);
    const all = [batch(0, 2), batch(2, 3), batch(3, 4), batch(4, 9)] as const;
    for (const one of all) waiting.push(one);
    expect(offsets(waiting.take(all[0]))).toEqual([0, 0, 1, 2, 3]);
    expect(offsets(waiting.take(all[2]))).toEqual([3, 3, 4]);
    expect(offsets(waiting.take(all[3]))).toEqual([4, 4, 5, 6, 7, 8, 9]);
  });

  it('are joined up to 4 MiB', () => {
    const waiting = new WaitingBatches(100);
    const large = (offset: number): FetchedBatch => ({
      ...batch(offset, offset + 1),
      records: PartitionRecords.of([
        { offset, appendMs: 0, key: null, value: Buffer.alloc(1_500_000), headers: undefined },
      ]),
    });
    const all = [large(0), large(1), large(2)] as const;
    for (const one of all) waiting.push(one);
    expect(offsets(waiting.take(all[0]))).toEqual([0, 0, 1, 2]);
    expect(offsets(waiting.take(all[2]))).toEqual([2, 2, 3]);
  });

  it('are enough at some number of records, bytes or batches', () => {
    const full = (...all: FetchedBatch[]): boolean => {
      const waiting = new WaitingBatches(20);
      for (const one of all) waiting.push(one);
      const is = waiting.full;
      waiting.clear();
      expect(waiting.full).toBe(false);
      return is;
    };
    const record = { offset: 0, appendMs: 0, key: Buffer.alloc(200_000), headers: undefined };
    const large = {
      ...batch(0, 1),
      records: PartitionRecords.of([{ ...record, value: Buffer.alloc(4_000_000) }]),
    };
    expect(full(batch(0, 19))).toBe(false);
    expect(full(batch(0, 19), batch(19, 20))).toBe(true);
    expect(full(large)).toBe(true);
    expect(full(...Array.from({ length: 7 }, (_, at) => batch(at, at + 1)))).toBe(false);
    expect(full(...Array.from({ length: 8 }, (_, at) => batch(at, at + 1)))).toBe(true);
  });

  it('are forgotten together', () => {
    const waiting = new WaitingBatches(3);
    const one = batch(0, 2);
    waiting.push(one);
    waiting.clear();
    expect(waiting.take(one)).toBeUndefined();
  });
});
