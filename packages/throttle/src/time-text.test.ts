import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMicros, parseMicros } from './time-text.ts';

describe('time as text', () => {
  it('has six decimals and ends in Z', () => {
    expect(formatMicros(1_795_417_331_000_999)).toBe('2026-11-23T07:02:11.000999Z');
    expect(formatMicros(0)).toBe('1970-01-01T00:00:00.000000Z');
    expect(formatMicros(1)).toBe('1970-01-01T00:00:00.000001Z');
  });

  it('is read back as written, for every time until the year 2255', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        for (const micros of [a, b, a]) expect(parseMicros(formatMicros(micros))).toBe(micros);
      }),
    );
  });

  it.each([
    '',
    '2026-11-23',
    '2026-13-23T07:02:11.000000Z',
    '2026-11-23T07:02:11.000Z',
    'x2026-11-23T07:02:11.000000Z',
  ])('is not %j', (text) => expect(parseMicros(text)).toBeUndefined());
});
