import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunCache } from './run-cache.ts';
import { StringCache } from './string-cache.ts';

const STRINGS = 3;
const type = avro.Type.forSchema({ type: 'record', name: 'Run', fields: ['a', 'b', 'c'].map(field) });

function field(name: string): { name: string; type: 'string' } {
  return { name, type: 'string' };
}

/** Few different texts, of all lengths: many equal runs, many that differ in the middle alone, some too long to keep. */
const text = fc
  .tuple(
    fc.constantFrom('', 'é', 'File', 'Process'),
    fc.constantFrom(0, 0, 1, 30, 100, 4100),
    fc.constantFrom('', 'x', '€'),
  )
  .map(([start, times, end]) => start + 'ab'.repeat(times) + end);
const run = fc.tuple(text, text, text);

describe('the cache of runs', () => {
  it('never changes what the strings read as, whatever was read before', () => {
    fc.assert(
      fc.property(fc.array(run, { minLength: 20, maxLength: 60 }), fc.nat(9), (runs, at) => {
        const cache = new RunCache(STRINGS, new StringCache());
        for (const [a, b, c] of [...runs, ...runs]) {
          const bytes = Buffer.concat([Buffer.alloc(at), type.toBuffer({ a, b, c }), Buffer.alloc(1)]);
          const read = cache.read(bytes, at, bytes.length);
          const isRead = [a, b, c].every((one) => Buffer.byteLength(one) < 8192);
          expect(read).toEqual(isRead ? [a, b, c] : undefined);
          if (isRead) expect(cache.end).toBe(bytes.length - 1);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('reads nothing beyond the end', () => {
    fc.assert(
      fc.property(run, fc.nat(), (strings, cut) => {
        const [a, b, c] = strings;
        const cache = new RunCache(STRINGS, new StringCache());
        const bytes = type.toBuffer({ a, b, c });
        cache.read(bytes, 0, bytes.length);
        const limit = cut % bytes.length;
        expect(cache.read(bytes, 0, limit)).toBeUndefined();
      }),
    );
  });

  it('gives the same strings for the same bytes, and others for others', () => {
    const cache = new RunCache(STRINGS, new StringCache());
    const bytesOf = (b: string): Buffer =>
      Buffer.concat([type.toBuffer({ a: 'a', b, c: 'c' }), Buffer.alloc(1)]);
    const read = (bytes: Buffer) => cache.read(bytes, 0, bytes.length);
    const first = read(bytesOf('same1same'));
    expect(read(bytesOf('same1same'))).toBe(first);
    // The same place in the cache, as only the middle differs.
    expect(read(bytesOf('same2same'))).toEqual(['a', 'same2same', 'c']);
    expect(read(bytesOf('same1same'))).toEqual(['a', 'same1same', 'c']);
  });

  it('leaves a negative length to others', () => {
    const cache = new RunCache(STRINGS, new StringCache());
    expect(cache.read(Buffer.from([0, 1, 0, 0, 0]), 0, 5)).toBeUndefined();
  });
});
