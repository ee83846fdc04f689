// Reads the numbers of records, and what has its length before it.

/** Of the tenth byte of a varint, the last that 64 bits may have. */
const MAX_SCALE = 2 ** 63;

/** Zigzag varints: the lowest bit is the sign. */
export class VarintCursor {
  at: number;
  /** Where the bytes that were skipped last end; -1 where there were none, not even of length 0. */
  skippedTo = -1;
  protected readonly bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Exact for all numbers below 2^52, either sign. Throws RangeError beyond the end, and beyond ten bytes. */
  next(): number {
    const { at, bytes } = this;
    // Almost all have one byte or two.
    if (at + 1 < bytes.length) {
      const low = bytes[at] as number;
      if (low < 0x80) {
        this.at = at + 1;
        return (low >>> 1) ^ -(low & 1);
      }
      const high = bytes[at + 1] as number;
      if (high < 0x80) {
        this.at = at + 2;
        return (((low & 0x7f) | (high << 7)) >>> 1) ^ -(low & 1);
      }
    }
    return this.#long();
  }

  /** Steps over a length and so many bytes, and returns where they begin; -1 for null. */
  skipBytes(): number {
    const length = this.next();
    if (length < 0) {
      this.skippedTo = -1;
      return -1;
    }
    const from = this.at;
    this.at = from + length;
    this.skippedTo = this.at;
    return from;
  }

  /** Returns where they begin; 0 if there are none. */
  skipHeaders(): number {
    const from = this.at;
    const count = this.next();
    for (let left = 2 * count; left > 0; left--) this.skipBytes();
    return count > 0 ? from : 0;
  }

  #long(): number {
    let [value, scale] = [0, 1];
    for (;;) {
      if (this.at >= this.bytes.length) throw new RangeError('the record ends early');
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
      if (scale > MAX_SCALE) throw new RangeError('a number of more than 64 bits');
    }
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }
}
