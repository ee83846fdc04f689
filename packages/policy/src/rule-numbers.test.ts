/** Numbers of rules. */
import { describe, expect, it } from 'vitest';
import { MAX_RULE_NUMBER, ruleNumbers } from './rule-numbers.ts';

describe('ruleNumbers', () => {
  it('gives a content the same number whatever is beside it', () => {
    const [alone] = ruleNumbers(['a']);
    expect(ruleNumbers(['b', 'a', 'c'])[1]).toBe(alone);
  });

  it('stays the same between versions: alerts of an older one are still named', () => {
    expect(ruleNumbers(['a', 'b'])).toEqual([1595580617, 2832508742]);
  });

  it('gives the next digest where two meet', () => {
    const digest = (content: string, attempt: number): number => content.length + 10 * attempt;
    expect(ruleNumbers(['aa', 'b', 'bb', 'cc', 'd'], digest)).toEqual([2, 1, 12, 22, 11]);
  });

  it('leaves 0 and the number of the posture free', () => {
    const numbers = ruleNumbers(Array.from({ length: 5000 }, (_, i) => String(i)));
    expect(new Set(numbers).size).toBe(5000);
    expect(Math.min(...numbers)).toBeGreaterThan(0);
    expect(Math.max(...numbers)).toBeLessThanOrEqual(MAX_RULE_NUMBER);
    expect(MAX_RULE_NUMBER).toBe(0xfffffffe);
  });
});
