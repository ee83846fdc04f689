import { describe, expect, it } from 'vitest';
import { withoutAborted, type FetchedRecord } from './read-topic.ts';

const timestamp = '0';

function record(offset: number, producerId: string): FetchedRecord {
  const batchContext = { producerId, inTransaction: true };
  return {
    offset: String(offset),
    timestamp,
    key: null,
    value: null,
    headers: {},
    isControlRecord: false,
    batchContext,
  };
}

/** A control record's key: version, then 0 for abort or 1 for commit (KIP-98). */
function marker(offset: number, producerId: string, type: 'abort' | 'commit'): FetchedRecord {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]);
  return { ...record(offset, producerId), key, isControlRecord: true };
}

function offsets(messages: FetchedRecord[], aborted: [producerId: string, firstOffset: number][]): number[] {
  const abortedTransactions = aborted.map(([producerId, first]) => ({
    producerId,
    firstOffset: String(first),
  }));
  return withoutAborted({ highWatermark: '0', lastStableOffset: '0', abortedTransactions, messages })
    .filter((one) => !one.isControlRecord)
    .map((one) => Number(one.offset));
}

describe('withoutAborted', () => {
  it('leaves out aborted transactions that overlap, in whichever order the broker lists them', () => {
    const log = [
      record(0, 'A'),
      record(1, 'B'),
      record(2, 'C'),
      record(3, 'A'),
      marker(4, 'B', 'abort'),
      marker(5, 'A', 'abort'),
      marker(6, 'C', 'commit'),
    ];
    expect(offsets(log, [['B', 1], ['A', 0]])).toEqual([2]); // prettier-ignore
    expect(offsets(log, [['A', 0], ['B', 1]])).toEqual([2]); // prettier-ignore
  });

  it('lets the next transaction of the same producer through', () => {
    const log = [record(0, 'A'), marker(1, 'A', 'abort'), record(2, 'A'), marker(3, 'A', 'commit')];
    expect(offsets(log, [['A', 0]])).toEqual([2]);
  });

  it('knows of transactions that began before what was fetched', () => {
    const log = [record(10, 'A'), record(11, 'B'), record(12, 'C'), marker(13, 'A', 'abort')];
    expect(offsets(log, [['B', 2], ['A', 1]])).toEqual([12]); // prettier-ignore
  });

  it('leaves records outside of transactions alone', () => {
    const plain = { ...record(1, 'A'), batchContext: { producerId: 'A', inTransaction: false } };
    expect(offsets([record(0, 'A'), plain, marker(2, 'A', 'abort')], [['A', 0]])).toEqual([1]);
  });
});
