import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limitsOf, nextLimitsWord } from './limits.ts';

const limits = fc.record({
  alertThrottling: fc.boolean(),
  maxAlertPerSec: fc.nat(0x1ffff),
  throttleSec: fc.nat(0x1ffff),
});
const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const generationOf = (version: number) => version >> 20;
const revisionOf = (version: number) => version & 0xfffff;

test('a word holds the limits that it was made of', () => {
  fc.assert(
    fc.property(word, limits, (previous, next) => {
      const made = nextLimitsWord(previous, next);
      expect(made).toBeLessThan(2n ** 64n);
      expect(limitsOf(made)).toMatchObject(next);
    }),
  );
});

test('the same limits make the same word, others a new revision', () => {
  fc.assert(
    fc.property(word, limits, (previous, next) => {
      const made = nextLimitsWord(previous, next);
      expect(nextLimitsWord(made, next)).toBe(made);
      const before = limitsOf(previous);
      if (made === previous) expect(before).toMatchObject(next);
      else expect(revisionOf(limitsOf(made).version)).toBe((revisionOf(before.version) + 1) & 0xfffff);
    }),
  );
});

test('only turning off raises the generation', () => {
  fc.assert(
    fc.property(word, limits, (previous, next) => {
      const before = limitsOf(previous);
      const after = limitsOf(nextLimitsWord(previous, next));
      const raised = before.alertThrottling && !next.alertThrottling ? 1 : 0;
      expect(generationOf(after.version)).toBe((generationOf(before.version) + raised) & 0x1ff);
    }),
  );
});

test.each([-1, 0x20000, 1.5, NaN])('%s has no room in the word', (value) => {
  expect(() => nextLimitsWord(0n, { alertThrottling: true, maxAlertPerSec: value, throttleSec: 1 })).toThrow(
    RangeError,
  );
  expect(() => nextLimitsWord(0n, { alertThrottling: true, maxAlertPerSec: 1, throttleSec: value })).toThrow(
    RangeError,
  );
});
