// A pipeline between a source, a spool and a broker in memory, for tests, and what came out of it as plain values.
import { alertEncoder, alertRecord, decodeVersion, newestVersion } from '../adapters/alert-schemas.ts';
import { MemorySink } from '../adapters/memory-sink.ts';
import { MemorySource, type MemorySourceOptions } from '../adapters/memory-source.ts';
import { MemorySpool } from '../adapters/memory-spool.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { fieldTable } from '../core/alert-fields.ts';
import type { IntakeSettings } from '../intake.ts';
import { Pipeline } from '../pipeline.ts';
import type { Clock, Logger, SpooledRecord } from '../ports.ts';
import type { Observer } from '../totals.ts';
import { feedAlert } from './kubearmor-json.ts';

export const LIMITS = { maxLineBytes: 64 * 1024, keptBytes: 1024 };
export const NODE_ID = 'node-9';

export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface FixtureOptions {
  readonly chunks: AsyncIterable<string> | Iterable<string>;
  readonly source?: Partial<MemorySourceOptions>;
  readonly settings?: Partial<IntakeSettings>;
  readonly spool?: MemorySpool;
  readonly sink?: MemorySink;
  readonly maxBytes?: number;
  readonly shutdownMs?: number;
  readonly clock?: Clock;
}

export interface Fixture {
  readonly pipeline: Pipeline;
  readonly spool: MemorySpool;
  readonly sink: MemorySink;
  readonly log: readonly LogLine[];
  /** What the broker has, in the order in which it came. */
  readonly produced: () => Produced[];
}

/** A record as a consumer sees it. */
export interface Produced {
  readonly kind: SpooledRecord['kind'];
  readonly sequence: number | undefined;
  readonly message: string;
  readonly lost: unknown;
}

const QUIET: Observer = {
  read: () => undefined,
  deadLetter: () => undefined,
  produced: () => undefined,
  lost: () => undefined,
  sent: () => undefined,
  sendFailed: () => undefined,
};

/** Sleeps are short: where a test is about order, waiting adds nothing. */
export const hastyClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 1), signal),
};

export function newSpool(maxBytes = 1024 * 1024): MemorySpool {
  return new MemorySpool({
    maxBytes,
    schemaVersion: newestVersion,
    nowMs: systemClock.nowMs,
    bootId: 'boot-1',
  });
}

export function fixture(options: FixtureOptions): Fixture {
  const maxBytes = options.maxBytes ?? 1024 * 1024;
  const spool = options.spool ?? newSpool(maxBytes);
  const sink = options.sink ?? new MemorySink();
  const log: LogLine[] = [];
  const pipeline = new Pipeline({
    source: new MemorySource(options.chunks, { limits: LIMITS, ...options.source }),
    spool,
    sink,
    encoder: alertEncoder,
    mapContext: { fields: fieldTable(alertRecord), nodeId: NODE_ID, nowMicros: systemClock.nowMicros },
    settings: {
      spoolFull: 'auto',
      spoolFullWaitMs: 60_000,
      spoolMaxBytes: () => maxBytes,
      commitMs: 1,
      commitRecords: 5,
      commitBytes: () => 64 * 1024,
      ...options.settings,
    },
    clock: options.clock ?? systemClock,
    logger: loggerInto(log),
    observer: QUIET,
    shutdownMs: options.shutdownMs ?? 0,
  });
  return { pipeline, spool, sink, log, produced: () => sink.records.map(produced) };
}

function loggerInto(log: LogLine[]): Logger {
  const at =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      log.push({ level, fields: fields as Record<string, unknown>, message });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Lines of alerts whose messages are the numbers from `first` on. */
export function lines(first: number, count: number): string {
  return Array.from({ length: count }, (_, index) => line(String(first + index))).join('');
}

export function line(message: string): string {
  return `${JSON.stringify(feedAlert({ Message: message }))}\n`;
}

function produced({ kind, value, headers }: SpooledRecord): Produced {
  if (kind === 'tombstone') {
    const { Sequence } = JSON.parse(headers ?? '{}') as { Sequence?: string };
    return { kind, sequence: Number(Sequence), message: '', lost: null };
  }
  const bytes = Buffer.from(value ?? []);
  if (kind === 'deadLetter') return { kind, sequence: undefined, message: bytes.toString(), lost: null };
  const alert = decodeVersion(bytes, newestVersion);
  return { kind, sequence: alert.Sequence, message: alert.Message, lost: alert.Lost && { ...alert.Lost } };
}

/** As the throttler reads: a number that was seen before, or a larger one was, is a repeat. */
export function withoutRepeats(records: readonly Produced[]): Produced[] {
  let highest = 0;
  return records.filter(({ sequence }) => {
    if (sequence === undefined) return true;
    if (sequence <= highest) return false;
    highest = sequence;
    return true;
  });
}

/** A source that a test feeds: text is given out when it is pushed. */
export class PushedChunks implements AsyncIterable<string> {
  #waiting: ((result: IteratorResult<string>) => void) | undefined;
  readonly #chunks: string[] = [];
  #ended = false;

  push(chunk: string): void {
    this.#chunks.push(chunk);
    this.#give();
  }

  end(): void {
    this.#ended = true;
    this.#give();
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () =>
        new Promise((resolve) => {
          this.#waiting = resolve;
          this.#give();
        }),
    };
  }

  #give(): void {
    if (this.#waiting === undefined) return;
    const value = this.#chunks.shift();
    if (value === undefined && !this.#ended) return;
    const resolve = this.#waiting;
    this.#waiting = undefined;
    resolve(value === undefined ? { done: true, value: undefined } : { done: false, value });
  }
}

/** Until it is true; the test's own timeout ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await systemClock.sleep(2);
}
