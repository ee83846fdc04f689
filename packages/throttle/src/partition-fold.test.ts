/** What the vectors do not say of the fold: what it costs, forgets, counts and leaves to be written. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { CrossingDetails, IntervalEvent } from './interval-event.ts';
import { appendTimeMicros, PartitionFold } from './partition-fold.ts';
import { detailsOf } from './testing/history.ts';

const limits = { alertThrottling: true, maxAlertPerSec: 1, throttleSec: 10 };
const MINUTE = 60_000_000;
/** The last microsecond of a minute's first second, so that a minute later is the next minute. */
const START = 29_923_622 * MINUTE + 999_999;

let fold: PartitionFold;
let ended: IntervalEvent[];
let offset = 0;
const sink = { threshold: (): void => undefined, ended: (event: IntervalEvent): number => ended.push(event) };

beforeEach(() => {
  fold = new PartitionFold();
  ended = [];
  offset = 0;
  fold.advance(START, sink);
});

function alert(containerKey: string, details: () => CrossingDetails = () => detailsOf(containerKey)): string {
  const seen = {
    containerKey,
    eventTimeMicros: 0,
    policy: 'p',
    operation: 'File',
    partition: 0,
    offset: offset++,
    details,
  };
  return fold.alert(seen, limits, sink);
}

describe('PartitionFold', () => {
  it('asks for the details of the alert that crosses, once', () => {
    let asked = 0;
    const details = (): CrossingDetails => {
      asked += 1;
      return detailsOf('a');
    };
    expect(['a', 'a', 'a', 'a'].map((key) => alert(key, details))).toEqual([
      'passed',
      'thresholdCrossed',
      'dropped',
      'dropped',
    ]);
    expect(asked).toBe(1);
  });

  it('has not changed where the details cannot be had', () => {
    alert('a');
    const digest = fold.digest();
    const failing = (): CrossingDetails => {
      throw new Error('no details');
    };
    expect(() => alert('a', failing)).toThrow('no details');
    expect(fold.digest()).toBe(digest);
    expect(alert('a')).toBe('thresholdCrossed');
  });

  it('touches nothing while throttling is off', () => {
    const seen = {
      containerKey: 'a',
      eventTimeMicros: 0,
      policy: '',
      operation: '',
      partition: 0,
      offset: 0,
    };
    const off = { ...limits, alertThrottling: false };
    expect(fold.alert({ ...seen, details: () => detailsOf('a') }, off, sink)).toBe('passed');
    expect(fold.windowCount).toBe(0);
  });

  it('gives events that stay as they are when it goes on', () => {
    alert('a');
    alert('a');
    fold.throttlingOff(sink);
    const before = structuredClone(ended);
    alert('a');
    alert('a');
    alert('a');
    expect(ended).toEqual(before);
  });

  it('knows how many intervals are open and when the first is due', () => {
    expect([fold.openCount, fold.nextDueMicros]).toEqual([0, undefined]);
    alert('a');
    alert('a');
    fold.advance(START + 1_000, sink);
    alert('b');
    alert('b');
    expect([fold.openCount, fold.nextDueMicros]).toEqual([2, START + 10_000_000]);
    fold.advance(START + 10_000_000, sink);
    expect([fold.openCount, fold.nextDueMicros]).toEqual([1, START + 10_001_000]);
    fold.remove('b', sink);
    expect([fold.openCount, fold.nextDueMicros]).toEqual([0, undefined]);
    expect(ended.map(({ containerKey }) => containerKey)).toEqual(['a', 'b']);
  });

  it('reports many intervals in order, with most of them gone by tombstone before', () => {
    const keys = Array.from({ length: 2_000 }, (_, i) => `c${i}`);
    for (const key of keys) {
      fold.advance(fold.timeMicros + 7, sink);
      alert(key);
      alert(key);
      if (!key.endsWith('0')) fold.remove(key, sink);
    }
    ended = [];
    fold.advance(START + MINUTE, sink);
    expect(ended.map(({ containerKey }) => containerKey)).toEqual(keys.filter((key) => key.endsWith('0')));
  });

  it('counts an append time in milliseconds as the end of its millisecond', () => {
    expect(appendTimeMicros(1_795_417_331_600)).toBe(1_795_417_331_600_999);
  });

  it.each(['', '@x', 'a/b'])('refuses the profile %j', (profile) => {
    expect(() => new PartitionFold(profile)).toThrow(RangeError);
  });
});

describe('PartitionFold, forgetting', () => {
  it('forgets a window in the 16th minute after the one in which it was last seen', () => {
    alert('a');
    fold.advance(START + 15 * MINUTE, sink);
    expect(fold.windowCount).toBe(1);
    fold.advance(START + 16 * MINUTE - MINUTE + 59_000_000, sink);
    expect(fold.windowCount).toBe(1);
    fold.advance(START + 16 * MINUTE, sink);
    expect([fold.windowCount, fold.digest()]).toEqual([0, '0000000000000000']);
  });

  it('keeps a window that was seen again', () => {
    alert('a');
    alert('b');
    fold.advance(START + 10 * MINUTE, sink);
    alert('a');
    fold.advance(START + 20 * MINUTE, sink);
    expect(fold.takeDirty().set.map(([field]) => field)).toEqual(['default/a']);
    fold.advance(START + 26 * MINUTE, sink);
    expect(fold.windowCount).toBe(0);
  });

  it('keeps a window while it has something to report, and forgets it as soon as it was reported', () => {
    const day = { ...limits, throttleSec: 86_400 };
    const seen = {
      containerKey: 'a',
      eventTimeMicros: 0,
      policy: '',
      operation: '',
      partition: 0,
      offset: 0,
    };
    for (let i = 0; i < 2; i++) fold.alert({ ...seen, details: () => detailsOf('a') }, day, sink);
    for (let hour = 1; hour < 24; hour++) fold.advance(START + hour * 60 * MINUTE, sink);
    expect([fold.windowCount, ended.length]).toEqual([1, 0]);
    fold.advance(START + 24 * 60 * MINUTE, sink);
    expect([fold.windowCount, ended.length]).toEqual([0, 1]);
  });

  it('forgets sequence numbers after 7 days and up to an hour', () => {
    fold.isRepeat('n', 'b', 1);
    fold.advance(START + 7 * 24 * 60 * MINUTE, sink);
    expect(fold.sequenceCount).toBe(1);
    fold.advance(START + (7 * 24 + 1) * 60 * MINUTE, sink);
    expect([fold.sequenceCount, fold.digest()]).toEqual([0, '0000000000000000']);
  });
});

describe('PartitionFold, what there is to write', () => {
  const nothing = { set: [], del: [], throttledSet: [], throttledDel: [] };

  it('is nothing where nothing changed since the last take', () => {
    alert('a');
    expect(fold.takeDirty().set).toHaveLength(1);
    expect(fold.takeDirty()).toEqual(nothing);
    fold.advance(START + 1, sink);
    expect(fold.takeDirty()).toEqual(nothing);
  });

  it('is nothing for a container that came and went between two takes', () => {
    for (let i = 0; i < 5_000; i++) {
      alert(`c${i}`);
      alert(`c${i}`);
      fold.remove(`c${i}`, sink);
    }
    expect(fold.takeDirty()).toEqual(nothing);
  });

  it('lists a container while its interval is open, and takes it off the list once reported', () => {
    alert('a');
    alert('a');
    expect(fold.takeDirty().throttledSet).toEqual([['a', (START + 10_000_000) / 1_000_000]]);
    fold.advance(START + 10_000_000, sink);
    const { set, throttledSet, throttledDel } = fold.takeDirty();
    expect([set.length, throttledSet, throttledDel]).toEqual([1, [], ['a']]);
  });

  it('deletes what is stored of a container that went, also from the list', () => {
    alert('a');
    alert('a');
    fold.takeDirty();
    fold.remove('a', sink);
    expect(fold.takeDirty()).toEqual({ ...nothing, del: ['default/a'], throttledDel: ['a'] });
  });

  it('overwrites, and deletes nothing, where a container went and came back', () => {
    alert('a');
    alert('a');
    fold.takeDirty();
    fold.remove('a', sink);
    alert('a');
    const { set, del, throttledSet, throttledDel } = fold.takeDirty();
    expect([set.length, del, throttledSet, throttledDel]).toEqual([1, [], [], ['a']]);
  });

  it('is everything in a snapshot, and then what changed since', () => {
    alert('a');
    alert('b');
    fold.takeDirty();
    fold.isRepeat('n', 'b', 1);
    expect(fold.snapshot().set.map(([field]) => field)).toEqual(['default/a', 'default/b', '@sequence/n/b']);
    expect(fold.takeDirty()).toEqual(nothing);
    alert('b');
    expect(fold.takeDirty().set.map(([field]) => field)).toEqual(['default/b']);
  });
});
