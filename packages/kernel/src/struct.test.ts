import { describe, expect, test } from 'vitest';
import { array, s64, struct, text, u16, u32, u64, u8 } from './struct.ts';

const inner = struct({ low: u8, wide: u32 });
const outer = struct({ first: u16, inner, big: u64, signed: s64, list: array(u16, 3), name: text(5) });

describe('a struct', () => {
  test('lies as a C compiler lays it out', () => {
    expect(inner).toMatchObject({ size: 8, align: 4, offsets: { low: 0, wide: 4 } });
    expect(outer.offsets).toEqual({ first: 0, inner: 4, big: 16, signed: 24, list: 32, name: 38 });
    expect(outer.size).toBe(48);
  });

  test('comes back as it was written', () => {
    const values = {
      first: 0xfffe,
      inner: { low: 255, wide: 0xdeadbeef },
      big: 2n ** 64n - 1n,
      signed: -5n,
      list: [1, 2, 3],
      name: 'äbc',
    };
    expect(outer.decode(outer.encode(values))).toEqual(values);
  });

  test('is zero where nothing was said', () => {
    const bytes = outer.encode({ big: 1n });
    expect(bytes.readBigUInt64LE(16)).toBe(1n);
    expect(bytes.fill(0, 16, 24).every((byte) => byte === 0)).toBe(true);
  });

  test('refuses what does not fit', () => {
    expect(() => outer.encode({ name: 'sixsix' })).toThrow(RangeError);
    expect(() => outer.encode({ list: [1, 2, 3, 4] })).toThrow(RangeError);
    expect(() => outer.encode({ first: 65_536 })).toThrow(RangeError);
  });

  test('reads a text to its zero, or to the end of its array', () => {
    expect(outer.decode(outer.encode({ name: 'ab' })).name).toBe('ab');
    expect(outer.decode(outer.encode({ name: 'abcde' })).name).toBe('abcde');
  });
});
