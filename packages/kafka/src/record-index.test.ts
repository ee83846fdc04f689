import { describe, expect, it } from 'vitest';
import { batchesIn, HEAD_BYTES } from './fetched-batches.ts';
import { VarintCursor } from './record-index.ts';

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

describe('batchesIn', () => {
  it('goes on from no batch that is shorter than its head', () => {
    const bytes = Buffer.alloc(2 * HEAD_BYTES);
    for (const length of [-12, 0, 48]) {
      bytes.writeInt32BE(length, 8);
      expect(() => [...batchesIn(bytes)]).toThrow('shorter than its head');
    }
    bytes.writeInt32BE(HEAD_BYTES - 12, 8);
    bytes.writeInt32BE(HEAD_BYTES - 12, HEAD_BYTES + 8);
    expect([...batchesIn(bytes)]).toHaveLength(2);
  });
});
