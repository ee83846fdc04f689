import { describe, expect, test } from 'vitest';
import type { PartitionOffsets } from './group-offsets.ts';
import { limitsJson, limitsRemarks, limitsText } from './limits.ts';

const at = Date.UTC(2026, 0, 23, 7, 2, 11) * 1_000;
const change = { from: 0, at: 0, alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30 };
const metadata = {
  v: 1,
  limits: [change, { ...change, from: 500, at, maxAlertPerSec: 2 }],
  idle: [],
  digest: '0'.repeat(16),
  at,
};
const claimed: PartitionOffsets = { partition: 0, committed: 700, end: 710, metadata, unreadable: undefined };
const fresh: PartitionOffsets = { ...claimed, partition: 1, committed: undefined, metadata: undefined };
const foreign: PartitionOffsets = { ...claimed, partition: 2, metadata: undefined, unreadable: 'not JSON' };

describe('limits', () => {
  test('given partitions, then the last change is what is in force, with its offset and time', () => {
    const [, first, second, third] = limitsText([claimed, fresh, foreign]).split('\n');
    expect(first?.split(/ {2,}/)).toEqual([
      '0',
      'on',
      '2',
      '30',
      'on-2-30',
      '2026-01-23 07:02:11.000Z',
      '500',
      '700',
    ]);
    expect(second).toContain('not claimed yet');
    expect(third).toContain('?');
  });

  test('given trouble, then remarks say so', () => {
    const other = { ...claimed, partition: 3, metadata: { ...metadata, limits: [change] } };
    expect(limitsRemarks([claimed, foreign, other], 'g')).toEqual([
      'partition 2: not JSON',
      'the partitions differ: on-2-30, on-10-30; instances with different settings?',
    ]);
    expect(limitsRemarks([fresh], 'g')[0]).toContain('group g has committed nothing');
    expect(limitsRemarks([claimed], 'g')).toEqual([]);
  });

  test('given JSON, then the history is in it', () => {
    expect(limitsJson(claimed)).toMatchObject({
      committedOffset: 700,
      inForce: { maxAlertPerSec: 2, version: 'on-2-30', fromOffset: 500, since: '2026-01-23T07:02:11.000Z' },
      history: [{ maxAlertPerSec: 10 }, { maxAlertPerSec: 2 }],
    });
    expect(limitsJson(fresh)).toMatchObject({ committedOffset: null, inForce: null, history: [] });
  });
});
