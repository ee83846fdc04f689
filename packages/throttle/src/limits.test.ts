import { expect, it } from 'vitest';
import { DEFAULT_LIMITS, limitsVersion, sameLimits } from './limits.ts';

it('gives equal limits equal versions and different ones different versions', () => {
  expect(limitsVersion(DEFAULT_LIMITS)).toBe('on-10-30');
  expect(limitsVersion({ ...DEFAULT_LIMITS, alertThrottling: false })).toBe('off-10-30');
  expect(limitsVersion({ ...DEFAULT_LIMITS, throttleSec: 31 })).toBe('on-10-31');
});

it('compares limits by all three values', () => {
  expect(sameLimits(DEFAULT_LIMITS, { ...DEFAULT_LIMITS })).toBe(true);
  expect(sameLimits(DEFAULT_LIMITS, { ...DEFAULT_LIMITS, alertThrottling: false })).toBe(false);
  expect(sameLimits(DEFAULT_LIMITS, { ...DEFAULT_LIMITS, maxAlertPerSec: 11 })).toBe(false);
  expect(sameLimits(DEFAULT_LIMITS, { ...DEFAULT_LIMITS, throttleSec: 31 })).toBe(false);
});
