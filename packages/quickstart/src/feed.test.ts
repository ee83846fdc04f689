import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { dueLines, feedSample } from './feed.ts';
import type { SampleLine } from './sample.ts';

const lines: SampleLine[] = [0, 10, 10, 60].map((atMs) => ({ atMs, container: 'quiet', text: String }));

describe('the feed', () => {
  it('has lines due once their time has come', () => {
    expect(dueLines(lines, 0, 9).map(({ atMs }) => atMs)).toEqual([0]);
    expect(dueLines(lines, 1, 10).map(({ atMs }) => atMs)).toEqual([10, 10]);
    expect(dueLines(lines, 3, 1000).map(({ atMs }) => atMs)).toEqual([60]);
    expect(dueLines(lines, 4, 1000)).toEqual([]);
  });

  it('writes every line with its own time, never one of the future, and ends the stream', async () => {
    const to = new PassThrough();
    const written = text(to);
    const beforeMs = Date.now();
    await feedSample(lines, to, new AbortController().signal);
    const micros = (await written).trimEnd().split('\n').map(Number);
    expect(micros.map((one) => one - (micros[0] ?? 0))).toEqual([0, 10_000, 10_000, 60_000]);
    expect(micros[0]).toBeGreaterThanOrEqual(beforeMs * 1000);
    expect(micros.at(-1)).toBeLessThanOrEqual(Date.now() * 1000);
  });

  it('rejects when aborted', async () => {
    const abort = new AbortController();
    const fed = feedSample(lines, new PassThrough(), abort.signal);
    abort.abort();
    await expect(fed).rejects.toThrow('abort');
  });
});
