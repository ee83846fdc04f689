// What the pipeline needs of the world: where alerts come from, where records wait, where they go, what time it is.
import type { Line, StreamPosition } from './core/line-splitter.ts';
import type { Loss } from './core/loss.ts';
import type { MappedAlert, MappedTombstone } from './core/map-alert.ts';
import type { NewRecord } from './core/record.ts';

/** A stream of alerts: as lines, each of which should be one, or as records that the source made itself. */
export interface AlertSource<B extends Batch = LineBatch> {
  /** For people, and in dead letters: the file's name, or `stdin`. */
  readonly name: string;
  /** A regular file: what was not read can be read later, so nothing is lost by waiting. */
  readonly replayable: boolean;
  /** Bytes that there are to read, where that is known. */
  readonly totalBytes: number | undefined;
  /** Where this run began: after a restart a file goes on where it was left. */
  readonly start: StreamPosition;
  /** Batches in order, each of bounded size; the next is read when it is asked for. Throws SOURCE_UNREADABLE. */
  batches(): AsyncIterable<B>;
  /** How to take the source up again at `position`; undefined where that cannot be done. */
  cursorAt(position: StreamPosition): Cursor | undefined;
  /** Told after what was read up to `position` was stored, or lost and noted as such. */
  stored?(position: StreamPosition): void;
  close(): Promise<void>;
}

export type Batch = LineBatch | RecordBatch;

export interface LineBatch {
  readonly lines: readonly Line[];
  /** Just after the last line of the batch, blank ones included. */
  readonly end: StreamPosition;
}

export interface RecordBatch {
  readonly records: readonly SourceRecord[];
  /** Nothing more comes before these are stored: waiting for more would only make them late. */
  readonly isLast?: boolean;
}

/** A loss that the source noticed is an alert, too: its `Lost` says how many. */
export interface SourceRecord {
  readonly mapped: MappedAlert | MappedTombstone;
  /** Just after it. A source may hand out positions of its own kind: they come back to cursorAt() as they are. */
  readonly end: StreamPosition;
}

/** How far a source has been read; the spool keeps it without knowing what is in it. */
export interface Cursor {
  readonly source: string;
  readonly value: string;
}

export interface SpooledRecord extends NewRecord {
  /** Of an alert: the version of the Alert schema that it was written with. */
  readonly schemaVersion: number;
}

/** What changes together: after a crash all of it is there, or none. */
export interface SpoolAppend {
  readonly records: readonly NewRecord[];
  /** The number of the alert after these. */
  readonly nextSequence: number;
  /** Alerts that were lost and not yet announced. */
  readonly loss: Loss | undefined;
  readonly cursor: Cursor | undefined;
}

export interface SpoolUsage {
  readonly records: number;
  readonly bytes: number;
  /** When the oldest record came in. */
  readonly oldestAtMs: number | undefined;
}

export interface ReadLimits {
  readonly maxRecords: number;
  /** At least one record is read, whatever its size. */
  readonly maxBytes: number;
}

/** Records on disk, in order. What append() took is there after any crash, until it was acknowledged. */
export interface Spool {
  /** Names the life of this spool. */
  readonly bootId: string;
  readonly nextSequence: number;
  /** Alerts that were lost and not yet announced. */
  readonly loss: Loss | undefined;
  usage(): SpoolUsage;
  /** Whether records of so many bytes keep the spool within its bound. */
  fits(bytes: number): boolean;
  /** Durable when it returns. Throws SPOOL_DISK_FULL, and nothing has changed. */
  append(append: SpoolAppend): void;
  /** The oldest records that are not acknowledged. */
  read(limits: ReadLimits): SpooledRecord[];
  /** The broker has the oldest `count` records, which were read. Becomes durable with one of the next transactions. */
  acknowledge(count: number): void;
  /** Makes acknowledgements durable; without room on the disk, later. */
  flush(): void;
  cursor(source: string): string | undefined;
  /** The source was produced to its end. Becomes durable with everything acknowledged so far. */
  forgetCursor(source: string): void;
  setMaxBytes(maxBytes: number): void;
  close(): void;
}

/** Where the records go. One caller, one send at a time. */
export interface AlertSink {
  /** For messages: who is at the other end. */
  readonly target: string;
  /** Ready to send when it resolves. Rejects with what stands in the way. */
  connect(): Promise<void>;
  /** How many of the records, from the first on, fit one send; at least 1. Only while connected. */
  fit(records: readonly SpooledRecord[]): number;
  /** Resolves when the broker has all of them. After a rejection it may have some; the sink is then disconnected. */
  send(records: readonly SpooledRecord[]): Promise<void>;
  disconnect(): Promise<void>;
}

export interface Clock {
  /** Since the epoch. */
  readonly nowMs: () => number;
  readonly nowMicros: () => number;
  /** Resolves after so many milliseconds, or when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
