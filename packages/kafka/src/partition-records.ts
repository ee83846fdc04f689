// The records of one partition as they lie in the bytes of a fetch: a few numbers for each, and no object.
//
// Whoever reads a hundred thousand of them a second, and keeps a few, cannot afford a key, a value, two strings and the
// objects around them for each. Here they are made for those records alone that somebody asks for.
import type { IHeaders, Message } from 'kafkajs';
import { readHeaders } from './headers.ts';
import { encodeRecords } from './record-batch.ts';
import { AT, DOUBLES, INTEGERS, type IndexedRecords, RecordIndex } from './record-index.ts';

/** One record by itself. Key and value are slices of what was fetched: keeping one keeps all of it. */
export interface PartitionRecord {
  readonly offset: number;
  /** Milliseconds: of the append or of the sender, as the topic says. */
  readonly appendMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Undefined where there are none. As kafkajs can write them again: an empty value stands for null. */
  readonly headers: IHeaders | undefined;
}

/** All of a partition's records in a fetch, or some of them that follow each other. */
export class PartitionRecords {
  readonly length: number;
  readonly #buffers: readonly Buffer[];
  readonly #integers: Int32Array;
  readonly #doubles: Float64Array;

  constructor({ buffers, integers, doubles }: IndexedRecords) {
    this.length = doubles.length / DOUBLES;
    this.#buffers = buffers;
    this.#integers = integers;
    this.#doubles = doubles;
  }

  /** From records that exist one by one. */
  static of(records: readonly PartitionRecord[]): PartitionRecords {
    const index = new RecordIndex(records.length);
    const { bytes } = encodeRecords(records.map(messageOf), 0);
    index.add(bytes, 0, bytes.length, { count: records.length, firstOffset: 0, firstMs: 0, appendMs: 0 });
    const found = index.take();
    for (const [at, { offset, appendMs }] of records.entries()) {
      found.doubles[at * DOUBLES] = offset;
      found.doubles[at * DOUBLES + 1] = appendMs;
    }
    return new PartitionRecords(found);
  }

  /** One after the other. */
  static concat(parts: readonly PartitionRecords[]): PartitionRecords {
    const [first] = parts;
    if (first !== undefined && parts.length === 1) return first;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const buffers: Buffer[] = [];
    const integers = new Int32Array(length * INTEGERS);
    const doubles = new Float64Array(length * DOUBLES);
    let at = 0;
    for (const part of parts) {
      integers.set(part.#integers, at * INTEGERS);
      doubles.set(part.#doubles, at * DOUBLES);
      const end = at + part.length;
      for (; at < end; at++) {
        const buffer = at * INTEGERS + AT.buffer;
        integers[buffer] = (integers[buffer] as number) + buffers.length;
      }
      for (const buffer of part.#buffers) buffers.push(buffer);
    }
    return new PartitionRecords({ buffers, integers, doubles });
  }

  offset(index: number): number {
    return this.#doubles[index * DOUBLES] as number;
  }

  appendMs(index: number): number {
    return this.#doubles[index * DOUBLES + 1] as number;
  }

  /** What key and value lie in. */
  bytes(index: number): Buffer {
    return this.#buffers[this.#integers[index * INTEGERS + AT.buffer] as number] as Buffer;
  }

  /** -1 where there is no key. */
  keyFrom(index: number): number {
    return this.#integers[index * INTEGERS + AT.keyFrom] as number;
  }

  keyTo(index: number): number {
    return this.#integers[index * INTEGERS + AT.keyTo] as number;
  }

  /** -1 where the value is null. */
  valueFrom(index: number): number {
    return this.#integers[index * INTEGERS + AT.valueFrom] as number;
  }

  valueTo(index: number): number {
    return this.#integers[index * INTEGERS + AT.valueTo] as number;
  }

  headers(index: number): IHeaders | undefined {
    const at = this.#integers[index * INTEGERS + AT.headers] as number;
    return at === 0 ? undefined : readHeaders(this.bytes(index), at);
  }

  record(index: number): PartitionRecord {
    const bytes = this.bytes(index);
    const [keyFrom, valueFrom] = [this.keyFrom(index), this.valueFrom(index)];
    return {
      offset: this.offset(index),
      appendMs: this.appendMs(index),
      key: keyFrom < 0 ? null : bytes.subarray(keyFrom, this.keyTo(index)),
      value: valueFrom < 0 ? null : bytes.subarray(valueFrom, this.valueTo(index)),
      headers: this.headers(index),
    };
  }

  *[Symbol.iterator](): Generator<PartitionRecord> {
    for (let index = 0; index < this.length; index++) yield this.record(index);
  }

  /** Of keys and values together. */
  byteLength(): number {
    const integers = this.#integers;
    let bytes = 0;
    for (let at = 0; at < integers.length; at += INTEGERS) {
      bytes += (integers[at + AT.keyTo] as number) - (integers[at + AT.keyFrom] as number);
      bytes += (integers[at + AT.valueTo] as number) - (integers[at + AT.valueFrom] as number);
    }
    return bytes;
  }

  /** Those from the index `from` to before `to`. */
  slice(from: number, to = this.length): PartitionRecords {
    if (from <= 0 && to >= this.length) return this;
    return new PartitionRecords({
      buffers: this.#buffers,
      integers: this.#integers.subarray(from * INTEGERS, to * INTEGERS),
      doubles: this.#doubles.subarray(from * DOUBLES, to * DOUBLES),
    });
  }

  /** Where those at or after that offset begin; `length` where there are none. */
  indexOf(offset: number): number {
    let index = 0;
    while (index < this.length && this.offset(index) < offset) index += 1;
    return index;
  }
}

function messageOf({ key, value, headers }: PartitionRecord): Message {
  return headers === undefined ? { key, value } : { key, value, headers };
}
