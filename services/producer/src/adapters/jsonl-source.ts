// Lines from a file or from standard input.
//
// A regular file has a place that can be taken up again: path, device and inode, the hash of its first bytes, and the
// offset just after a line's end. What does not fit all of that is another file, and is read from its start.
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  LineSplitter,
  STREAM_START,
  type Line,
  type LineLimits,
  type StreamPosition,
} from '../core/line-splitter.ts';
import { codeOf, ProducerError, reasonOf } from '../errors.ts';
import type { AlertSource, Cursor, LineBatch } from '../ports.ts';

const CHUNK_BYTES = 128 * 1024;

/** Of a file's first bytes, so many are hashed; of a shorter file, all. */
const HEAD_BYTES = 4 * 1024;

const LF = 0x0a;

interface FileCursor {
  readonly device: string;
  readonly inode: string;
  readonly headBytes: number;
  readonly headHash: string;
  readonly offset: number;
  readonly line: number;
}

/** Why a remembered place was not used. */
export type CursorVerdict = 'none' | 'used' | 'file changed';

export interface FileSourceOptions {
  /** Absolute. */
  readonly path: string;
  readonly limits: LineLimits;
  /** What was remembered of the file, as cursorAt() gave it. */
  readonly cursor: string | undefined;
}

export interface OpenedSource {
  readonly source: AlertSource;
  readonly verdict: CursorVerdict;
}

/** Throws SOURCE_UNREADABLE. */
export async function openFileSource(options: FileSourceOptions): Promise<OpenedSource> {
  const { path, limits } = options;
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const stat = await file.stat({ bigint: true });
    if (stat.isDirectory()) throw unreadable(path, 'it is a directory');
    if (!stat.isFile()) {
      const stream = file.createReadStream({ highWaterMark: CHUNK_BYTES });
      return { source: new StreamSource(path, stream, limits), verdict: 'none' };
    }
    const size = Number(stat.size);
    const cursor = options.cursor === undefined ? undefined : (JSON.parse(options.cursor) as FileCursor);
    const isSame =
      cursor !== undefined &&
      cursor.device === String(stat.dev) &&
      cursor.inode === String(stat.ino) &&
      cursor.offset <= size &&
      (await hashOf(file, cursor.headBytes)) === cursor.headHash &&
      (await isLineStart(file, cursor.offset, size));
    const headBytes = Math.min(HEAD_BYTES, size);
    const identity = {
      device: String(stat.dev),
      inode: String(stat.ino),
      headBytes,
      headHash: await hashOf(file, headBytes),
    };
    const start = isSame ? { offset: cursor.offset, line: cursor.line } : STREAM_START;
    const source = new FileSource(path, file, size, identity, limits, start);
    return { source, verdict: cursor === undefined ? 'none' : isSame ? 'used' : 'file changed' };
  } catch (error) {
    await file?.close();
    throw error instanceof ProducerError ? error : unreadable(path, explain(error), error);
  }
}

export function openStreamSource(name: string, stream: Readable, limits: LineLimits): AlertSource {
  return new StreamSource(name, stream, limits);
}

type FileIdentity = Omit<FileCursor, 'offset' | 'line'>;

class FileSource implements AlertSource {
  readonly name: string;
  readonly replayable = true;
  readonly totalBytes: number;
  readonly start: StreamPosition;
  readonly #file: FileHandle;
  readonly #identity: FileIdentity;
  readonly #limits: LineLimits;

  constructor(
    name: string,
    file: FileHandle,
    totalBytes: number,
    identity: FileIdentity,
    limits: LineLimits,
    start: StreamPosition,
  ) {
    this.name = name;
    this.#file = file;
    this.totalBytes = totalBytes;
    this.#identity = identity;
    this.#limits = limits;
    this.start = start;
  }

  async *batches(): AsyncGenerator<LineBatch> {
    const splitter = new LineSplitter(this.#limits, this.start);
    for (let offset = this.start.offset; ;) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      const { bytesRead } = await this.#read(chunk, offset);
      if (bytesRead === 0) break;
      offset += bytesRead;
      yield batchOf(splitter, splitter.push(chunk.subarray(0, bytesRead)));
    }
    yield lastBatchOf(splitter);
  }

  cursorAt({ offset, line }: StreamPosition): Cursor {
    const cursor: FileCursor = { ...this.#identity, offset, line };
    return { source: this.name, value: JSON.stringify(cursor) };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #read(chunk: Buffer, offset: number): Promise<{ bytesRead: number }> {
    try {
      return await this.#file.read(chunk, 0, chunk.length, offset);
    } catch (error) {
      throw unreadable(this.name, explain(error), error);
    }
  }
}

class StreamSource implements AlertSource {
  readonly name: string;
  readonly replayable = false;
  readonly totalBytes = undefined;
  readonly start = STREAM_START;
  readonly #stream: Readable;
  readonly #limits: LineLimits;

  constructor(name: string, stream: Readable, limits: LineLimits) {
    this.name = name;
    this.#stream = stream;
    this.#limits = limits;
  }

  async *batches(): AsyncGenerator<LineBatch> {
    const splitter = new LineSplitter(this.#limits);
    try {
      for await (const chunk of this.#stream as AsyncIterable<Buffer>)
        yield batchOf(splitter, splitter.push(chunk));
    } catch (error) {
      if (codeOf(error) === 'ERR_STREAM_PREMATURE_CLOSE') return;
      throw unreadable(this.name, explain(error), error);
    }
    yield lastBatchOf(splitter);
  }

  cursorAt(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    this.#stream.destroy();
    return Promise.resolve();
  }
}

function batchOf(splitter: LineSplitter, lines: readonly Line[]): LineBatch {
  return { lines, end: splitter.position };
}

function lastBatchOf(splitter: LineSplitter): LineBatch {
  const last = splitter.end();
  return batchOf(splitter, last ? [last] : []);
}

async function hashOf(file: FileHandle, bytes: number): Promise<string> {
  const head = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(head, 0, bytes, 0);
  return createHash('sha256').update(head.subarray(0, bytesRead)).digest('hex');
}

/** Where a line has ended, or the file. A file that was written anew in place seldom has a line's end there, too. */
async function isLineStart(file: FileHandle, offset: number, size: number): Promise<boolean> {
  if (offset === 0 || offset === size) return true;
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset - 1);
  return byte[0] === LF;
}

function unreadable(name: string, why: string, cause?: unknown): ProducerError {
  return new ProducerError('SOURCE_UNREADABLE', `cannot read ${name} (FILE): ${why}`, { cause });
}

function explain(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return reasonOf(error);
  }
}
