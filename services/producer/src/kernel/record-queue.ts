// Between the kernel's events and the intake: records in order, each with what the spool has to remember once it has them.
//
// A batch of events leaves its ring when all the records that came of it are stored. So there is never more here than what
// one batch gives and what waited, and a killed producer finds in the ring what the spool does not have.
import type { Alert } from '@alert-throttle/alert';
import { STREAM_START, type StreamPosition } from '../core/line-splitter.ts';
import type { AlertSource, Cursor, RecordBatch, SourceRecord } from '../ports.ts';
import type { Marks, RingLedger } from './core/ring-ledger.ts';
import type { Ring } from './kernel-port.ts';

export const KERNEL_SOURCE = 'kernel';

/** `line` counts the records of this run. */
interface QueuePosition extends StreamPosition {
  readonly marks: Marks;
}

interface Held {
  readonly upTo: number;
  readonly release: () => void;
}

const BATCH_RECORDS = 500;

export class RecordQueue implements AlertSource<RecordBatch> {
  readonly name = KERNEL_SOURCE;
  readonly replayable = false;
  readonly totalBytes = undefined;
  readonly start = STREAM_START;
  readonly #ledger: RingLedger;
  #records: SourceRecord[] = [];
  #pushed = 0;
  #stored = 0;
  #held: Held[] = [];
  #closed = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(ledger: RingLedger) {
    this.#ledger = ledger;
  }

  /** Records that are not stored yet. */
  get size(): number {
    return this.#pushed - this.#stored;
  }

  /** Events stay in their ring until the spool has had room. */
  get isHeldUp(): boolean {
    return this.#held.length > 0;
  }

  /** `of`: the event that it is made of, which may have been late. */
  alert(alert: Alert, of?: { readonly ring: Ring; readonly number: number }): void {
    this.#push({ kind: 'alert', alert, unknownFields: 0, droppedFields: 0, guessedTime: false });
    if (of) this.#ledger.queued(of.ring, of.number, this.#pushed);
  }

  tombstone(containerId: string, nodeId: string): void {
    this.#push({ kind: 'tombstone', containerId, nodeId });
  }

  /** Once everything that was pushed until now is stored. */
  releaseWhenStored(release: () => void): void {
    if (this.#stored === this.#pushed) release();
    else this.#held.push({ upTo: this.#pushed, release });
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#records.length > 0) {
        const records = this.#records.splice(0, BATCH_RECORDS);
        // The next events come when these have been released: those of new containers must not wait for company.
        yield { records, isLast: this.#records.length === 0 && this.isHeldUp };
      } else if (this.#closed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  cursorAt(position: StreamPosition): Cursor | undefined {
    if (!('marks' in position)) return undefined;
    const { line, marks } = position as QueuePosition;
    return { source: this.name, value: this.#ledger.stateAt(line, marks) };
  }

  stored({ line }: StreamPosition): void {
    this.#stored = Math.max(this.#stored, line);
    this.#ledger.stored(line);
    const due = this.#held.filter(({ upTo }) => upTo <= this.#stored);
    this.#held = this.#held.filter(({ upTo }) => upTo > this.#stored);
    for (const { release } of due) release();
  }

  /** Ends the run with an error, after what is there. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    return Promise.resolve();
  }

  #push(mapped: SourceRecord['mapped']): void {
    this.#pushed += 1;
    const end: QueuePosition = { offset: this.#pushed, line: this.#pushed, marks: this.#ledger.marks };
    this.#records.push({ mapped, end });
    this.#wake?.();
  }
}
