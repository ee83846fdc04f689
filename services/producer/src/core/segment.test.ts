import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RECORD_KINDS } from './record.ts';
import { readSegment, writeSegment } from './segment.ts';

const texts = fc.string({ unit: 'grapheme' });
const records = fc.array(
  fc.record({
    kind: fc.constantFrom(...RECORD_KINDS),
    key: texts,
    value: fc.option(fc.uint8Array({ maxLength: 300 })),
    headers: fc.option(texts),
  }),
);

describe('a segment', () => {
  it('gives back the records that it was made of', () => {
    fc.assert(
      fc.property(records, (written) => {
        const read = readSegment(writeSegment(written));
        expect(
          read.map(({ value, ...rest }) => ({ ...rest, value: value && Uint8Array.from(value) })),
        ).toEqual(written);
      }),
    );
  });

  it('may be empty', () => {
    expect(writeSegment([])).toHaveLength(0);
    expect(readSegment(Buffer.alloc(0))).toEqual([]);
  });

  it('is not read where it was cut', () => {
    const segment = writeSegment([{ kind: 'alert', key: 'k', value: Buffer.from('value'), headers: null }]);
    for (let size = 1; size < segment.length; size++)
      expect(() => readSegment(segment.subarray(0, size))).toThrow(RangeError);
    segment[0] = 99;
    expect(() => readSegment(segment)).toThrow(RangeError);
  });
});
