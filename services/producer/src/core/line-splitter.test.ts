import { describe, expect, it } from 'vitest';
import { LineSplitter, type Line, type LineLimits, type StreamPosition } from './line-splitter.ts';

const LIMITS: LineLimits = { maxLineBytes: 16, keptBytes: 8 };

function split(chunks: readonly (string | Buffer)[], start?: StreamPosition): Line[] {
  const splitter = new LineSplitter(LIMITS, start);
  const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
  const last = splitter.end();
  return last ? [...lines, last] : lines;
}

function texts(chunks: readonly (string | Buffer)[]): string[] {
  return split(chunks).map(({ bytes }) => bytes.toString());
}

describe('LineSplitter', () => {
  it('gives the lines of a chunk, with their numbers and where they end', () => {
    expect(split(['ab\ncd\n'])).toEqual([
      { number: 1, bytes: Buffer.from('ab'), size: 2, truncated: false, endOffset: 3 },
      { number: 2, bytes: Buffer.from('cd'), size: 2, truncated: false, endOffset: 6 },
    ]);
  });

  it('puts a line together from several chunks', () => {
    expect(texts(['a', 'b', 'c\nd', 'e\n'])).toEqual(['abc', 'de']);
  });

  it('gives the last line although it has no end', () => {
    expect(split(['ab\ncd']).at(-1)).toMatchObject({ number: 2, size: 2, endOffset: 5 });
  });

  it.each(['ab\r\ncd\r\n', 'ab\ncd\r\n'])('takes CRLF as a line end: %j', (text) => {
    expect(texts([text])).toEqual(['ab', 'cd']);
  });

  it('takes CRLF as a line end when the chunk ends between its bytes', () => {
    expect(split(['ab\r', '\ncd'])).toMatchObject([{ size: 2, endOffset: 4 }, { size: 2 }]);
  });

  it('leaves out blank lines, but counts them', () => {
    expect(split(['\n \t\r\nab\n\n']).map(({ number, endOffset }) => [number, endOffset])).toEqual([[3, 8]]);
  });

  it.each([[['\ufeffab\n']], [['\ufeff', 'ab\n']], [['\ufeffab']]])(
    'takes no byte order mark as text: %j',
    (chunks) => {
      expect(texts(chunks)).toEqual(['ab']);
    },
  );

  it('takes a byte order mark on a later line as text', () => {
    expect(texts(['ab\n\ufeffcd\n'])).toEqual(['ab', '\ufeffcd']);
  });

  it('gives nothing for an empty stream', () => {
    expect(split([])).toEqual([]);
    expect(split([''])).toEqual([]);
  });

  it.each([[['x'.repeat(16) + '\n']], [['x'.repeat(16) + '\r\n']], [['\ufeff', 'x'.repeat(16)]]])(
    'gives a line of the largest size whole: %j',
    (chunks) => expect(split(chunks)).toMatchObject([{ size: 16, truncated: false }]),
  );

  it.each([
    ['in one chunk', ['x'.repeat(17) + '\nab\n']],
    ['in many chunks', [...Array<string>(17).fill('x'), '\nab\n']],
    ['with CRLF', ['x'.repeat(10), 'x'.repeat(7), '\r', '\nab\n']],
    ['with a byte order mark', ['\ufeff' + 'x'.repeat(17), '\nab\n']],
  ])('keeps the head of a line that is too long, and its true size: %s', (_, chunks) => {
    expect(split(chunks)).toMatchObject([
      { number: 1, bytes: Buffer.from('x'.repeat(8)), size: 17, truncated: true },
      { number: 2, bytes: Buffer.from('ab'), truncated: false },
    ]);
  });

  it('keeps little of a line that never ends', () => {
    const splitter = new LineSplitter({ maxLineBytes: 1024, keptBytes: 512 });
    const chunk = Buffer.alloc(64 * 1024, 'x');
    for (let count = 0; count < 64; count++) expect(splitter.push(chunk)).toEqual([]);
    const line = splitter.end();
    expect(line).toMatchObject({ size: 4 * 1024 * 1024, truncated: true });
    expect(line?.bytes).toHaveLength(512);
    expect(line?.bytes.buffer.byteLength).toBeLessThan(128 * 1024 + 1);
  });

  it('goes on from a place in the stream', () => {
    const lines = split(['cd\nef\n'], { offset: 3, line: 1 });
    expect(lines).toMatchObject([
      { number: 2, endOffset: 6 },
      { number: 3, endOffset: 9 },
    ]);
  });

  it('knows where the last line that ended stops', () => {
    const splitter = new LineSplitter(LIMITS);
    splitter.push(Buffer.from('ab\ncd\n\nef'));
    expect(splitter.position).toEqual({ offset: 7, line: 3 });
  });
});
