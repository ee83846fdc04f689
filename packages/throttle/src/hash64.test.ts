import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Hash64, Sum64 } from './hash64.ts';

const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });

function hashOf(text: string, numbers: readonly number[]): string {
  const hash = new Hash64();
  hash.start(0, 0);
  hash.text(text);
  for (const number of numbers) hash.integer(number);
  hash.finish();
  return `${hash.high >>> 0}/${hash.low >>> 0}`;
}

describe('Sum64', { timeout: 60_000 }, () => {
  it('is addition modulo 2^64', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word, fc.boolean())), (terms) => {
        const sum = new Sum64();
        let expected = 0n;
        for (const [high, low, plus] of terms) {
          const term = (BigInt(high >>> 0) << 32n) + BigInt(low >>> 0);
          expected = BigInt.asUintN(64, plus ? expected + term : expected - term);
          if (plus) sum.add(high, low);
          else sum.subtract(high, low);
        }
        expect(sum.toString()).toBe(expected.toString(16).padStart(16, '0'));
      }),
    );
  });
});

describe('Hash64', { timeout: 60_000 }, () => {
  it('tells apart what differs in one bit of a number, above 2^32 too', () => {
    const seen = new Set<string>();
    for (let bit = 0; bit < 53; bit++) seen.add(hashOf('k', [2 ** bit]));
    expect(seen.size).toBe(53);
  });

  it('does not collide on a hundred thousand neighbours, in neither lane more than chance has it', () => {
    const [both, high, low] = [new Set<string>(), new Set<string>(), new Set<string>()];
    for (let i = 0; i < 100_000; i++) {
      const hash = hashOf(`container-${i % 1000}`, [1_795_417_331_000_999 + i, i % 7]);
      both.add(hash);
      const [a, b] = hash.split('/');
      high.add(a ?? '');
      low.add(b ?? '');
    }
    expect(both.size).toBe(100_000);
    // Two of 100 000 random 32-bit numbers are equal 1.16 times on average.
    expect(high.size).toBeGreaterThan(99_985);
    expect(low.size).toBeGreaterThan(99_985);
  });
});
