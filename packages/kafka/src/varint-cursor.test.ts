import { describe, expect, it } from 'vitest';
import { VarintCursor } from './varint-cursor.ts';

describe('VarintCursor', () => {
  it('reads ten bytes and no more', () => {
    const most = Buffer.concat([Buffer.alloc(9, 0xff), Buffer.from([0x01])]);
    expect(Math.abs(new VarintCursor(most, 0).next())).toBeGreaterThan(2 ** 62);
    for (const length of [10, 200]) {
      const longer = Buffer.concat([Buffer.alloc(length, 0x80), Buffer.from([0x00])]);
      expect(() => new VarintCursor(longer, 0).next()).toThrow('more than 64 bits');
    }
  });

  it('does not read beyond the end', () => {
    expect(() => new VarintCursor(Buffer.from([0x80]), 0).next()).toThrow('ends early');
  });
});
