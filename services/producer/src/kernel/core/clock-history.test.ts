import { expect, it } from 'vitest';
import { ClockHistory } from './clock-history.ts';

const SECOND = 1_000_000_000n;

it('gives one moment one time, whenever it is asked for, and in the next run', () => {
  const times = new ClockHistory();
  expect(times.observe(100n * SECOND, 10n * SECOND)).toBe(true);
  const before = times.micros(12n * SECOND + 500n);
  expect(times.observe(160n * SECOND, 20n * SECOND)).toBe(true);
  const again = new ClockHistory(times.steps);
  expect(again.observe(160n * SECOND + 999_999n, 30n * SECOND)).toBe(false);
  for (const one of [times, again]) {
    expect(one.micros(12n * SECOND + 500n)).toBe(before);
    expect(one.micros(20n * SECOND)).toBe(180_000_000);
    expect(one.micros(5n * SECOND)).toBe(105_000_000);
  }
});

it('takes no noise for a clock that was set, and a drift for one once it is large enough', () => {
  const times = new ClockHistory();
  times.observe(SECOND, 0n);
  expect(times.observe(SECOND + 1_000_000n, 1n)).toBe(false);
  expect(times.observe(SECOND - 1_000_000n, 2n)).toBe(false);
  expect(times.observe(SECOND + 1_000_001n, 3n)).toBe(true);
});

it('has a bound', () => {
  const times = new ClockHistory();
  for (let step = 0n; step < 1_100n; step++) times.observe(step * SECOND, step);
  expect(times.steps).toHaveLength(1_000);
  expect(times.micros(0n)).toBe(100_000_000);
});
