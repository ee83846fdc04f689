// A source without a file, for tests of what uses one: batches of texts, cut into lines as a file would be.
import { LineSplitter, STREAM_START, type LineLimits, type StreamPosition } from '../core/line-splitter.ts';
import type { AlertSource, Cursor, LineBatch } from '../ports.ts';

export interface MemorySourceOptions {
  readonly limits: LineLimits;
  readonly replayable?: boolean;
  readonly start?: StreamPosition;
  readonly name?: string;
}

export class MemorySource implements AlertSource {
  readonly name: string;
  readonly replayable: boolean;
  readonly totalBytes = undefined;
  readonly start: StreamPosition;
  readonly #chunks: AsyncIterable<string> | Iterable<string>;
  readonly #limits: LineLimits;

  constructor(chunks: AsyncIterable<string> | Iterable<string>, options: MemorySourceOptions) {
    this.#chunks = chunks;
    this.#limits = options.limits;
    this.name = options.name ?? 'memory';
    this.replayable = options.replayable ?? false;
    this.start = options.start ?? STREAM_START;
  }

  async *batches(): AsyncGenerator<LineBatch> {
    const splitter = new LineSplitter(this.#limits, this.start);
    let passed = 0;
    for await (const chunk of this.#chunks) {
      const bytes = Buffer.from(chunk);
      const skip = Math.min(bytes.length, Math.max(0, this.start.offset - passed));
      passed += bytes.length;
      const lines = splitter.push(bytes.subarray(skip));
      yield { lines, end: splitter.position };
    }
    const last = splitter.end();
    yield { lines: last ? [last] : [], end: splitter.position };
  }

  cursorAt(position: StreamPosition): Cursor | undefined {
    return this.replayable ? { source: this.name, value: JSON.stringify(position) } : undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
