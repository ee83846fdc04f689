// Finds records in the bytes of record batches: where key, value and headers of each begin and end, and no more. The
// format is in record-batch.ts.
import { VarintCursor } from './varint-cursor.ts';

/** What a record batch says of all its records. */
export interface BatchFacts {
  readonly count: number;
  readonly firstOffset: number;
  readonly firstMs: number;
  /** The one time of all records, where the broker stamped them. */
  readonly appendMs: number | undefined;
}

/** Integers of a record: which buffer, then key, value (a start of -1: null) and headers (0: none) in it. */
export const INTEGERS = 6;
export const AT = { buffer: 0, keyFrom: 1, keyTo: 2, valueFrom: 3, valueTo: 4, headers: 5 } as const;
/** Doubles of a record: offset, milliseconds. */
export const DOUBLES = 2;
/** length, attributes, both deltas, key, value, headers: a byte each at least. */
const MIN_RECORD_BYTES = 7;
/** What there is room for from the start, at most, as how many there are is not known before they were read. */
const MAX_EXPECTED = 65_536;

/** The numbers of some records, one record after the other, and the buffers that they point into. */
export interface IndexedRecords {
  readonly buffers: readonly Buffer[];
  readonly integers: Int32Array;
  readonly doubles: Float64Array;
}

/** Finds the records in the bytes of batches, one batch after the other. */
export class RecordIndex {
  readonly #buffers: Buffer[] = [];
  #integers: Int32Array;
  #doubles: Float64Array;
  #length = 0;

  /** `expected`: how many there may be. */
  constructor(expected: number) {
    const capacity = Math.min(Math.max(expected, 1), MAX_EXPECTED);
    this.#integers = new Int32Array(capacity * INTEGERS);
    this.#doubles = new Float64Array(capacity * DOUBLES);
  }

  /** The records of a batch, unpacked, from `from` to `to`. Throws RangeError where they are not all there. */
  add(bytes: Buffer, from: number, to: number, facts: BatchFacts): void {
    const { count, firstOffset, firstMs, appendMs } = facts;
    // Before there is room for them: the count may be a lie.
    if (count * MIN_RECORD_BYTES > to - from) throw new RangeError(`${count} records end early`);
    this.#makeRoom(count);
    const [integers, doubles] = [this.#integers, this.#doubles];
    const buffer = this.#numberOf(bytes);
    const cursor = new VarintCursor(bytes, from);
    let at = this.#length * INTEGERS;
    let double = this.#length * DOUBLES;
    for (let index = 0; index < count; index++) {
      const length = cursor.next();
      const end = cursor.at + length;
      if (length < 0 || end > to) throw new RangeError(`record ${index} of ${count} ends early`);
      cursor.at += 1;
      const msDelta = cursor.next();
      doubles[double] = firstOffset + cursor.next();
      doubles[double + 1] = appendMs ?? firstMs + msDelta;
      integers[at + AT.buffer] = buffer;
      integers[at + AT.keyFrom] = cursor.skipBytes();
      integers[at + AT.keyTo] = cursor.skippedTo;
      integers[at + AT.valueFrom] = cursor.skipBytes();
      integers[at + AT.valueTo] = cursor.skippedTo;
      integers[at + AT.headers] = cursor.skipHeaders();
      if (cursor.at > end) throw new RangeError(`record ${index} of ${count} goes on beyond its end`);
      cursor.at = end;
      at += INTEGERS;
      double += DOUBLES;
    }
    this.#length += count;
  }

  /** What was found. */
  take(): IndexedRecords {
    return {
      buffers: this.#buffers,
      integers: this.#integers.subarray(0, this.#length * INTEGERS),
      doubles: this.#doubles.subarray(0, this.#length * DOUBLES),
    };
  }

  #numberOf(bytes: Buffer): number {
    const buffers = this.#buffers;
    return buffers.at(-1) === bytes ? buffers.length - 1 : buffers.push(bytes) - 1;
  }

  #makeRoom(count: number): void {
    const [needed, capacity] = [this.#length + count, this.#doubles.length / DOUBLES];
    if (needed <= capacity) return;
    const [integers, doubles] = [this.#integers, this.#doubles];
    this.#integers = new Int32Array(Math.max(needed, 2 * capacity) * INTEGERS);
    this.#doubles = new Float64Array(Math.max(needed, 2 * capacity) * DOUBLES);
    this.#integers.set(integers);
    this.#doubles.set(doubles);
  }
}
