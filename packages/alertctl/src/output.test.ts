import { PassThrough, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { outputTo } from './output.ts';

describe('outputTo', () => {
  test('given a reader, then it gets lines', async () => {
    const stream = new PassThrough();
    await outputTo(stream).print('a');
    expect(String(stream.read())).toBe('a\n');
  });

  test('given a reader that does not keep up, then printing waits for it', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const printed = outputTo(stream).print('abc');
    stream.resume();
    await expect(printed).resolves.toBeUndefined();
  });

  test('given a reader that goes away, then printing ends, and so does whoever listens', async () => {
    const stream = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    const out = outputTo(stream);
    await out.print('abc');
    await out.print('def');
    expect(out.closed.aborted).toBe(true);
  });
});
