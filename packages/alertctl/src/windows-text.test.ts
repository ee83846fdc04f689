import { parseWindowField } from '@alert-throttle/throttle';
import { describe, expect, test } from 'vitest';
import type { Checkpoint } from './checkpoint.ts';
import { QUIET, sampleFold, THROTTLED } from './testing/sample-fold.ts';
import { windowsJson, windowsText } from './windows-text.ts';
import type { WindowsView } from './windows.ts';

const crossedAtMs = Date.UTC(2026, 0, 23, 7, 2, 11);
const windows = sampleFold(crossedAtMs)
  .snapshot()
  .set.flatMap(([field, value]) => parseWindowField(field, value) ?? []);

function viewAt(
  secondsLater: number,
  changes: Partial<WindowsView> = {},
  checkpoint: Partial<Checkpoint> = {},
): WindowsView {
  const nowMs = crossedAtMs + secondsLater * 1_000;
  return {
    group: 'g',
    topic: 't',
    nowMs,
    kafkaProblem: undefined,
    partitions: [
      {
        partition: 0,
        checkpoint: {
          partition: 0,
          offset: 8,
          updatedAtMs: nowMs - 4_000,
          head: { offset: '8', limits: 'on-2-30' },
          throttledCount: 1,
          windows,
          leftOut: 0,
          unreadable: [],
          ...checkpoint,
        },
        offsets: { partition: 0, committed: 10, end: 25, metadata: undefined, unreadable: undefined },
      },
    ],
    ...changes,
  };
}

function cells(line: string | undefined): string[] {
  return (line ?? '').split(/ {2,}/);
}

describe('windowsText', () => {
  test('given a container in its interval, then the line says pod, since, until, remaining, dropped and policies', () => {
    const [, throttled, quiet] = windowsText(viewAt(10), true).split('\n');
    expect(cells(throttled)).toEqual([
      THROTTLED.slice(0, 12),
      'shop/web-0',
      'throttled',
      '2026-01-23 07:02:11.000Z',
      '2026-01-23 07:02:41.000Z',
      '20 s',
      '5',
      'audit-shells 4, audit-net 1',
    ]);
    expect(quiet).toContain(QUIET.slice(0, 12));
    expect(quiet).toContain('open, 1 passed');
  });

  test('given an interval whose end is past but which is not reported, then it is over, and what that means is said', () => {
    expect(windowsText(viewAt(31), false)).toContain('over: the interval has ended');
    expect(windowsText(viewAt(10), false)).not.toContain('over:');
    expect(cells(windowsText(viewAt(31), false).split('\n')[1]).slice(2, 6)).toEqual([
      'over',
      '2026-01-23 07:02:11.000Z',
      '2026-01-23 07:02:41.000Z',
      '-',
    ]);
  });

  test('given a checkpoint, then its age and how far it is behind are said', () => {
    expect(cells(windowsText(viewAt(10), false).split('\n').at(-1))).toEqual([
      '0',
      '1',
      '4 s old',
      '8',
      '2 records',
      '15 records',
    ]);
  });

  test('given no checkpoint, or no Kafka, then that is said', () => {
    const view = viewAt(10);
    const [one] = view.partitions;
    if (!one) throw new Error('no partition');
    const without = windowsText({ ...view, partitions: [{ ...one, checkpoint: undefined }] }, false);
    expect(without).toContain('no container is throttled');
    expect(cells(without.split('\n').at(-1))).toContain('none');
    const unknown = windowsText({ ...view, partitions: [{ ...one, offsets: undefined }] }, false);
    expect(cells(unknown.split('\n').at(-1)).slice(-2)).toEqual(['?', '?']);
    expect(windowsText({ ...view, partitions: [] }, false)).toContain('no checkpoint of group g and topic t');
  });

  test('given more windows than are shown, and one that cannot be read, then both are said', () => {
    const text = windowsText(viewAt(10, {}, { leftOut: 7, unreadable: ['checkpoint field x: odd'] }), false);
    expect(text).toContain('and 7 more');
    expect(text).toContain('unreadable: checkpoint field x: odd');
  });
});

describe('windowsJson', () => {
  test('given windows, then everything is in it', () => {
    expect(windowsJson(viewAt(10))).toMatchObject({
      group: 'g',
      kafka: { ok: true },
      windows: [
        {
          container: THROTTLED,
          state: 'throttled',
          remainingSec: 20,
          dropped: 5,
          droppedByPolicy: { 'audit-shells': 4, 'audit-net': 1 },
          limits: { maxAlertPerSec: 2, throttleSec: 30, version: 'on-2-30' },
          firstDropped: { Partition: 0, Offset: 2 },
          identity: { PodName: 'web-0' },
        },
        { container: QUIET, state: 'open', passed: 1 },
      ],
      partitions: [
        { partition: 0, behindCommit: 2, committedOffset: 10, checkpoint: { offset: 8, ageSec: 4 } },
      ],
    });
  });

  test('given no Kafka, then the reason is in it', () => {
    expect(windowsJson(viewAt(10, { kafkaProblem: 'refused' }))).toMatchObject({
      kafka: { ok: false, problem: 'refused' },
    });
  });
});
