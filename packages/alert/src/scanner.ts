/**
 * Walks over Avro bytes without making values: proves that a record is complete, at a fraction of what decoding costs.
 *
 * Nothing here trusts the bytes: every length and count is checked against the end before it is used, so the time is
 * bounded by the number of bytes. Encoding: Avro 1.12 specification, "Binary Encoding".
 */
import { AlertFormatError } from './errors.ts';
import type { RunCache } from './run-cache.ts';
import { StringCache } from './string-cache.ts';
import { STEP, type Step } from './steps.ts';

/** What avsc reads and writes exactly: it computes with the doubled value. */
const MAX_LONG = Number.MAX_SAFE_INTEGER - 1;
const MIN_LONG = -(2 ** 52);

/** Strings that were read, whatever the schema: runs of them are made of the same. */
export const TEXTS = new StringCache();

const NO_BYTES = Buffer.alloc(0);

/** A place in a record's bytes. One is reused for all records of a reader: the hot path makes no garbage. */
export class Scanner {
  #bytes: Buffer = NO_BYTES;
  #end = 0;
  pos = 0;

  /** From `pos` to before `end` of these bytes. */
  reset(bytes: Buffer, pos: number, end: number): void {
    this.#bytes = bytes;
    this.#end = end;
    this.pos = pos;
  }

  /** Steps over what `steps` describe. Throws TRUNCATED or MALFORMED. */
  skip(steps: readonly Step[]): void {
    for (const step of steps) {
      switch (step.op) {
        case STEP.bytes:
          this.#skipBytes(step.count);
          break;
        case STEP.int:
          this.#skipInts(step.count);
          break;
        case STEP.long:
          for (let n = step.count; n > 0; n--) this.readLong();
          break;
        case STEP.varint:
          for (let n = step.count; n > 0; n--) this.#skipVarint();
          break;
        case STEP.fixed:
          this.#advance(step.size * step.count);
          break;
        case STEP.union:
          this.#skipUnion(step);
          break;
        case STEP.blocks:
          this.#skipBlocks(step.items);
      }
    }
  }

  readString(): string {
    const start = this.#readBytes();
    return TEXTS.read(this.#bytes, start, this.pos);
  }

  /** As many strings as the cache has in a run; undefined where they are to be read one by one. */
  readRun(cache: RunCache): readonly string[] | undefined {
    const run = cache.read(this.#bytes, this.pos, this.#end);
    if (run !== undefined) this.pos = cache.end;
    return run;
  }

  /** Lets go of the bytes, which a whole fetch may lie beside. Throws TRAILING_BYTES unless all were read. */
  finish(): void {
    this.#bytes = NO_BYTES;
    if (this.pos === this.#end) return;
    throw new AlertFormatError('TRAILING_BYTES', 'the record has bytes after its last field');
  }

  readInt(): number {
    const value = this.readLong();
    if (value !== (value | 0)) throw malformed('an int of more than 32 bits');
    return value;
  }

  /** A zigzag varint. Bits are kept in three parts, because a double cannot hold 64 of them. */
  readLong(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let pos = this.pos;
    const first = pos < end ? (bytes[pos] as number) : 0x80;
    if (first < 0x80) {
      this.pos = pos + 1;
      return (first >>> 1) ^ -(first & 1);
    }
    let low = 0; // bits 0 to 27
    let high = 0; // bits 28 to 55
    let top = 0; // bits 56 to 63: set only in what does not fit a number
    for (let shift = 0; ; shift += 7) {
      if (pos >= end) throw truncated();
      const byte = bytes[pos++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift < 56) high |= bits << (shift - 28);
      else top |= bits;
      if (byte < 0x80) break;
      if (shift === 63) throw malformed('a number of more than 64 bits');
    }
    this.pos = pos;
    const magnitude = (low >>> 1) + high * 2 ** 27;
    const value = (low & 1) === 0 ? magnitude : -magnitude - 1;
    if (top !== 0 || value > MAX_LONG || value < MIN_LONG) throw malformed('a long that no number can hold');
    return value;
  }

  #skipBytes(count: number): void {
    const bytes = this.#bytes;
    const end = this.#end;
    let pos = this.pos;
    for (let n = count; n > 0; n--) {
      // Lengths of one and two bytes, below 8192, are all but a few.
      const first = pos < end ? (bytes[pos] as number) : 0x80;
      const second = pos + 1 < end ? (bytes[pos + 1] as number) : 0x80;
      if ((first & 1) === 0 && first < 0x80) pos += 1 + (first >> 1);
      else if ((first & 1) === 0 && second < 0x80) pos += 2 + (((first & 0x7f) | (second << 7)) >> 1);
      else {
        this.pos = pos;
        this.#readBytes();
        pos = this.pos;
      }
      if (pos > end) throw truncated();
    }
    this.pos = pos;
  }

  /** Steps over a string and returns where it started. */
  #readBytes(): number {
    const length = this.readLong();
    if (length < 0) throw malformed('a negative length');
    const start = this.pos;
    this.#advance(length);
    return start;
  }

  #skipInts(count: number): void {
    const bytes = this.#bytes;
    for (let n = count; n > 0; n--) {
      const pos = this.pos;
      // Up to four bytes hold 28 bits: nothing to check.
      if (pos + 4 > this.#end) this.readInt();
      else if ((bytes[pos] as number) < 0x80) this.pos = pos + 1;
      else if ((bytes[pos + 1] as number) < 0x80) this.pos = pos + 2;
      else if ((bytes[pos + 2] as number) < 0x80) this.pos = pos + 3;
      else if ((bytes[pos + 3] as number) < 0x80) this.pos = pos + 4;
      else this.readInt();
    }
  }

  #skipVarint(): void {
    const last = this.pos + 9;
    for (;;) {
      if (this.pos >= this.#end) throw truncated();
      if ((this.#bytes[this.pos] as number) < 0x80) break;
      if (this.pos === last) throw malformed('a number of more than 64 bits');
      this.pos++;
    }
    this.pos++;
  }

  #skipUnion({ branches }: Step): void {
    const branch = branches[this.readLong()];
    if (branch === undefined) throw malformed('a union branch that the schema does not have');
    if (branch.length > 0) this.skip(branch);
  }

  /** Every item takes at least a byte (see the compiler), so whatever the count says, the end of the bytes ends this. */
  #skipBlocks(items: readonly Step[]): void {
    for (;;) {
      let count = this.readLong();
      if (count === 0) return;
      if (count < 0) {
        count = -count;
        this.readLong(); // the block's size in bytes: items are walked over one by one all the same
      }
      for (let n = count; n > 0; n--) this.skip(items);
    }
  }

  #advance(length: number): void {
    this.pos += length;
    if (this.pos > this.#end) throw truncated();
  }
}

function truncated(): AlertFormatError {
  return new AlertFormatError('TRUNCATED', 'the record ends before its last field');
}

function malformed(what: string): AlertFormatError {
  return new AlertFormatError('MALFORMED', `the record holds ${what}`);
}
