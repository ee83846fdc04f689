/** What the vectors do not say: that nothing is touched while throttling is off, and that no window lets more than N pass. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, evolve, newWindow, SECOND_IN_MICROS } from './decide.ts';

const on = { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 3 };
const off = { ...on, alertThrottling: false };

describe('decide and evolve', { timeout: 60_000 }, () => {
  it('pass everything and touch nothing while throttling is off', () => {
    const window = {
      ...newWindow(),
      openedAtMicros: 5_000_000,
      passed: 2,
      throttledUntilMicros: 9_000_000,
      dropped: 4,
    };
    const before = { ...window };
    expect(decide(off, window, 6_000_000)).toBe('passed');
    evolve(window, 'passed', 6_000_000, off);
    expect(window).toEqual(before);
  });

  it('decide without changing the window', () => {
    const window = newWindow();
    decide(on, window, 7_000_000);
    expect(window).toEqual(newWindow());
  });

  it('let at most N pass in any window, and none in an interval, for every sequence of times', () => {
    const times = fc.array(fc.integer({ min: 10_000_000, max: 20_000_000 }), { maxLength: 200, size: 'max' });
    const limits = fc.record({
      alertThrottling: fc.constant(true),
      maxAlertPerSec: fc.integer({ min: 1, max: 5 }),
      throttleSec: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(times, limits, fc.boolean(), (unsorted, inForce, inOrder) => {
        const [window, passedAt, intervals] = [newWindow(), [] as number[], [] as number[]];
        for (const t of inOrder ? unsorted.toSorted((a, b) => a - b) : unsorted) {
          const decision = decide(inForce, window, t);
          evolve(window, decision, t, inForce);
          if (decision === 'passed') passedAt.push(window.lastMicros);
          if (decision === 'thresholdCrossed') intervals.push(window.lastMicros);
        }
        const length = inForce.throttleSec * SECOND_IN_MICROS;
        for (const start of intervals) {
          // A crossing alert may bear the time of the last one that passed.
          expect(passedAt.filter((t) => t > start && t < start + length)).toEqual([]);
        }
        let opened = -SECOND_IN_MICROS;
        let passed = 0;
        for (const t of passedAt) {
          if (t - opened >= SECOND_IN_MICROS) [opened, passed] = [t, 0];
          passed += 1;
          expect(passed).toBeLessThanOrEqual(inForce.maxAlertPerSec);
        }
      }),
    );
  });
});
