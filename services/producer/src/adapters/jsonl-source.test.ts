import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StreamPosition } from '../core/line-splitter.ts';
import type { AlertSource } from '../ports.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { openFileSource, openStreamSource, type OpenedSource } from './jsonl-source.ts';
import { MemorySource } from './memory-source.ts';

const limits = { maxLineBytes: 1024, keptBytes: 512 };

async function open(path: string, cursor?: string): Promise<OpenedSource> {
  const opened = await openFileSource({ path, limits, cursor });
  onTestFinished(() => opened.source.close());
  return opened;
}

function fileOf(text: string): string {
  const path = join(temporaryFolder(), 'alerts.jsonl');
  writeFileSync(path, text);
  return path;
}

async function linesOf(source: AlertSource): Promise<[number, string][]> {
  const lines: [number, string][] = [];
  for await (const batch of source.batches())
    lines.push(...batch.lines.map(({ number, bytes }): [number, string] => [number, bytes.toString()]));
  return lines;
}

async function endOf(source: AlertSource): Promise<StreamPosition | undefined> {
  let end: StreamPosition | undefined;
  for await (const batch of source.batches()) end = batch.end;
  return end;
}

const TEXT = 'one\n\ntwo\nthree';

describe.each([
  ['a file', async () => (await open(fileOf(TEXT))).source],
  ['a stream', () => Promise.resolve(openStreamSource('stdin', Readable.from([Buffer.from(TEXT)]), limits))],
  ['memory', () => Promise.resolve(new MemorySource([TEXT], { limits }))],
])('%s as a source', (_, make) => {
  it('gives its lines, and ends just after the last', async () => {
    expect(await linesOf(await make())).toEqual([
      [1, 'one'],
      [3, 'two'],
      [4, 'three'],
    ]);
    expect(await endOf(await make())).toEqual({ offset: TEXT.length, line: 4 });
  });

  it('begins at its start', async () => {
    expect((await make()).start).toEqual({ offset: 0, line: 0 });
  });
});

describe('a file', () => {
  it('is read in pieces, however long it is', async () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `line ${index + 1}`);
    const lines = await linesOf((await open(fileOf(`${text.join('\n')}\n`))).source);
    expect(lines).toEqual(text.map((line, index) => [index + 1, line]));
  });

  it('may be empty', async () => {
    expect(await linesOf((await open(fileOf(''))).source)).toEqual([]);
  });

  it('is taken up where it was left', async () => {
    const path = fileOf(TEXT);
    const first = (await open(path)).source;
    const cursor = first.cursorAt({ offset: 9, line: 3 });
    expect(cursor?.source).toBe(path);
    const { source, verdict } = await open(path, cursor?.value);
    expect(verdict).toBe('used');
    expect(source.start).toEqual({ offset: 9, line: 3 });
    expect(await linesOf(source)).toEqual([[4, 'three']]);
  });

  it('is taken up although it has grown', async () => {
    const path = fileOf('one\n');
    const cursor = (await open(path)).source.cursorAt({ offset: 4, line: 1 });
    appendFileSync(path, 'two\n');
    expect(await linesOf((await open(path, cursor?.value)).source)).toEqual([[2, 'two']]);
  });

  it.each([
    [
      'is another file by that name',
      (path: string) => {
        writeFileSync(`${path}.new`, TEXT);
        renameSync(`${path}.new`, path);
      },
    ],
    ['is shorter now', (path: string) => writeFileSync(path, 'one\n')],
    ['has another beginning', (path: string) => writeFileSync(path, TEXT.replace('one', 'ONE'))],
    ['has no line end there', (path: string) => writeFileSync(path, 'one\n\ntwotwothree')],
  ])('is read from its start if it %s', async (_, change) => {
    const path = fileOf(TEXT);
    const cursor = (await open(path)).source.cursorAt({ offset: 9, line: 3 });
    change(path);
    const { source, verdict } = await open(path, cursor?.value);
    expect(verdict).toBe('file changed');
    expect(source.start).toEqual({ offset: 0, line: 0 });
  });

  it.each([
    ['does not exist', () => join(temporaryFolder(), 'nowhere.jsonl'), 'no such file'],
    [
      'is a directory',
      () => {
        const path = join(temporaryFolder(), 'folder');
        mkdirSync(path);
        return path;
      },
      'directory',
    ],
  ])('is refused if it %s', async (_, make, why) => {
    await expect(open(make())).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining(why) as string,
    });
  });
});

describe('a stream', () => {
  it('has no place that could be taken up again', () => {
    const source = openStreamSource('stdin', Readable.from([]), limits);
    expect(source.cursorAt({ offset: 1, line: 1 })).toBeUndefined();
    expect(source.replayable).toBe(false);
  });

  it('ends when it is closed', async () => {
    const stream = new Readable({ read: () => undefined });
    const source = openStreamSource('stdin', stream, limits);
    const lines = linesOf(source);
    await source.close();
    expect(await lines).toEqual([]);
  });

  it('says what went wrong', async () => {
    const stream = new Readable({ read: () => undefined });
    const lines = linesOf(openStreamSource('stdin', stream, limits));
    stream.destroy(new Error('cut'));
    await expect(lines).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  });
});
