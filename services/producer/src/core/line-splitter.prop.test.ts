import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, type Line, type LineLimits } from './line-splitter.ts';

const LIMITS: LineLimits = { maxLineBytes: 12, keptBytes: 5 };

function read(chunks: readonly Buffer[], from = 0, line = 0): Line[] {
  const splitter = new LineSplitter(LIMITS, { offset: from, line });
  const lines = chunks.flatMap((chunk) => splitter.push(chunk));
  const last = splitter.end();
  return last ? [...lines, last] : lines;
}

/** Bytes in which line ends, blanks, byte order marks and text are all frequent. */
const streams = fc
  .array(fc.constantFrom('a', 'bb', 'x'.repeat(9), '\n', '\n', '\r\n', '\r', ' ', '\ufeff', 'é'), {
    maxLength: 40,
  })
  .map((parts) => Buffer.from(parts.join('')));

function cut(stream: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((place, index) => stream.subarray(place, places[index] ?? stream.length));
}

describe('LineSplitter', () => {
  it('gives the same lines however the stream is cut into chunks', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(200)), (stream, at) => {
        expect(read(cut(stream, at))).toEqual(read([stream]));
      }),
    );
  });

  it('agrees with splitting the whole text', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        const expected = stream
          .toString('latin1')
          .replace(/^\xef\xbb\xbf/, '')
          .split('\n')
          .map((text, index, all) => (index < all.length - 1 ? text.replace(/\r$/, '') : text))
          .map((text, index) => ({ number: index + 1, text }))
          .filter(({ text }) => !/^[ \t\r]*$/.test(text));
        const lines = read([stream]);
        expect(lines.map(({ number, size }) => ({ number, size }))).toEqual(
          expected.map(({ number, text }) => ({ number, size: text.length })),
        );
        for (const [index, line] of lines.entries()) {
          const whole = expected[index]?.text ?? '';
          expect(line.truncated).toBe(whole.length > LIMITS.maxLineBytes);
          const shown = line.truncated ? whole.slice(0, LIMITS.keptBytes) : whole;
          expect(line.bytes.toString('latin1')).toBe(shown);
        }
      }),
    );
  });

  it('gives the rest of the lines when it goes on after any of them', () => {
    fc.assert(
      fc.property(streams, fc.nat(20), (stream, skip) => {
        const all = read([stream]);
        const last = all[skip];
        if (last === undefined) return;
        const rest = read([stream.subarray(last.endOffset)], last.endOffset, last.number);
        expect(rest).toEqual(all.slice(skip + 1));
      }),
    );
  });
});
