import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StringCache } from './string-cache.ts';

/** Few different bytes, among them halves of characters and none at all: many collisions in the cache. */
const bytes = fc.array(fc.constantFrom(0x41, 0x42, 0xc3, 0xa9, 0xff, 0xe2, 0x82, 0xac), { maxLength: 5 });
const long = fc
  .tuple(bytes, fc.nat(70))
  .map(([some, times]) => [...some, ...Array<number>(times).fill(0x41)]);

describe('the string cache', () => {
  it('never changes what a text reads as, whatever was read before', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(bytes, long), { minLength: 1000, maxLength: 3000 }), (texts) => {
        const cache = new StringCache();
        for (const text of [...texts, ...texts]) {
          const record = Buffer.from([0x42, ...text, 0x41]);
          const read = cache.read(record, 1, record.length - 1);
          if (read !== Buffer.from(text).toString('utf8'))
            expect(read).toBe(Buffer.from(text).toString('utf8'));
        }
      }),
    );
  });
});
