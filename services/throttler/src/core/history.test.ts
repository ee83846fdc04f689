// What the metadata of a committed offset must carry besides the log, and how long.

import { formatOffsetMetadata, type Limits, parseOffsetMetadata } from '@alert-throttle/throttle';
import { describe, expect, it } from 'vitest';

import { History } from './history.ts';

const on: Limits = { alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30 };
const off: Limits = { ...on, alertThrottling: false };
const few: Limits = { ...on, maxAlertPerSec: 1 };

/** The steps as `offset kind`, an idle time with its micros, limits with their version in brief. */
function steps(history: History, from: number, to: number): string[] {
  return history
    .steps(from, to)
    .map((step) =>
      step.kind === 'idle'
        ? `${step.offset} idle ${step.micros}`
        : `${step.offset} ${step.limits.alertThrottling ? `on ${step.limits.maxAlertPerSec}` : 'off'}`,
    );
}

/** As it comes back from the metadata of a committed offset. */
function committed(history: History): History {
  const { limits, idle, pruned } = history;
  const text = formatOffsetMetadata({ v: 1, limits, idle, pruned, digest: '0'.repeat(16), at: 0 });
  return History.of(parseOffsetMetadata(text));
}

describe('limits', () => {
  it('are in force from the offset of the change on', () => {
    const history = History.begin(5, on);
    history.changeLimits(8, few, 77);
    expect(history.inForce).toEqual({ ...few, from: 8, at: 77 });
    expect(history.begins).toBe(5);
    expect(history.limitsBefore(5)).toMatchObject(on);
    expect(history.limitsBefore(8)).toMatchObject(on);
    expect(history.limitsBefore(9)).toMatchObject(few);
    expect(steps(history, 5, 100)).toEqual(['8 on 1']);
  });

  it('are steps of the stretch that they lie in, both ends included', () => {
    const history = History.begin(0, on);
    history.changeLimits(3, off, 0);
    history.changeLimits(3, few, 0);
    history.changeLimits(7, on, 0);
    expect(steps(history, 0, 100)).toEqual(['3 off', '3 on 1', '7 on 10']);
    expect(steps(history, 3, 7)).toEqual(['3 off', '3 on 1', '7 on 10']);
    expect(steps(history, 4, 6)).toEqual([]);
    expect(steps(history, 4, 7)).toEqual(['7 on 10']);
    expect(history.limitsBefore(4)).toMatchObject(few);
  });

  it('carry nothing but the limits, whatever else the settings hold', () => {
    const history = History.begin(0, { ...on, logLevel: 'info' } as Limits);
    expect(Object.keys(history.inForce).sort()).toEqual(
      ['alertThrottling', 'at', 'from', 'maxAlertPerSec', 'throttleSec'].sort(),
    );
  });

  it('survive the metadata of the offset', () => {
    const history = History.begin(5, on);
    history.changeLimits(8, few, 77);
    history.timeAdvanced(9, 1000);
    expect(committed(history)).toEqual(history);
  });

  it('are kept as far as there is room, and it is known that older ones are missing', () => {
    const history = History.begin(0, on);
    for (let change = 1; change <= 40; change++) history.changeLimits(change, change % 2 ? few : on, 0);
    expect(history.limits).toHaveLength(32);
    expect(history.inForce).toMatchObject({ from: 40, maxAlertPerSec: 10 });
    expect(history.pruned).toBe(true);
    expect(history.begins).toBe(0);
    expect(committed(history).pruned).toBe(true);
  });

  it('that are the oldest known are a change too where older ones are missing', () => {
    const history = History.begin(0, on);
    for (let change = 1; change <= 32; change++) history.changeLimits(change, change % 2 ? off : on, 0);
    expect(history.limits[0]).toMatchObject({ from: 1, alertThrottling: false });
    expect(steps(history, 0, 2)).toEqual(['1 off', '2 on 10']);
    expect(steps(committed(history), 0, 2)).toEqual(['1 off', '2 on 10']);
  });
});

describe('idle time', () => {
  it('is kept once per offset, the latest', () => {
    const history = History.begin(0, on);
    history.timeAdvanced(4, 100);
    history.timeAdvanced(4, 200);
    history.timeAdvanced(6, 300);
    expect(steps(history, 0, 10)).toEqual(['4 idle 200', '6 idle 300']);
    expect(steps(history, 5, 5)).toEqual([]);
    expect(steps(history, 4, 4)).toEqual(['4 idle 200']);
  });

  it('is forgotten once the record at its offset has brought time as far', () => {
    const history = History.begin(0, on);
    history.timeAdvanced(4, 200);
    history.recordRead(4, 200);
    expect(steps(history, 0, 10)).toEqual([]);
  });

  it('is kept where the record at its offset was folded under it, whatever comes later', () => {
    const history = History.begin(0, on);
    history.timeAdvanced(4, 200);
    history.recordRead(4, 199);
    history.recordRead(5, 5000);
    expect(steps(history, 0, 10)).toEqual(['4 idle 200']);
    history.timeAdvanced(9, 6000);
    history.recordRead(9, 6000);
    expect(steps(history, 0, 10)).toEqual(['4 idle 200']);
  });

  it('comes before the limits of its offset: once they are off, nothing waits for time', () => {
    const history = History.begin(0, on);
    history.timeAdvanced(4, 200);
    history.changeLimits(4, off, 200);
    expect(steps(history, 0, 10)).toEqual(['4 idle 200', '4 off']);
  });

  it('is bounded', () => {
    const history = History.begin(0, on);
    for (let offset = 1; offset <= 50; offset++) history.timeAdvanced(offset, offset);
    expect(history.idle).toHaveLength(20);
    expect(history.idle.at(-1)).toEqual([50, 50]);
  });
});
