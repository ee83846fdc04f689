import { describe, expect, it } from 'vitest';
import { LogLimiter } from './log-limiter.ts';

describe('LogLimiter', () => {
  it('lets so many lines through in a period, and counts the others', () => {
    const limiter = new LogLimiter({ lines: 2, periodMs: 100 });
    expect([0, 1, 2, 99].map((ms) => limiter.allow(ms))).toEqual([true, true, false, false]);
    expect(limiter.allow(100)).toBe(true);
    expect(limiter.takeSuppressed()).toBe(2);
    expect(limiter.takeSuppressed()).toBe(0);
  });
});
