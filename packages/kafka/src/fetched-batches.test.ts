import { describe, expect, it } from 'vitest';
import { batchesIn, HEAD_BYTES } from './fetched-batches.ts';

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
