/**
 * Runs of strings that lie one after the other and come again and again together: a node's id with its spool's, a
 * policy's name with its namespace's. Looked up by their bytes, so that a record's strings cost one comparison.
 */
import type { StringCache } from './string-cache.ts';

/** Longer runs are not kept. Type to severity of an alert have about 100 bytes with their lengths. */
const MAX_BYTES = 256;
/** Entries, a power of two; each place holds the last run that hashed to it. */
const PLACES = 1024;
/** Leaves as many bits of 32 as name a place. */
const SHIFT = 32 - Math.log2(PLACES);

/** Of the buffer that was read last, by whichever cache: a whole fetch lies in one, and each would keep it alive. */
let latest: DataView = new DataView(new ArrayBuffer(0));

/** Holds at most PLACES runs of so many strings each. */
export class RunCache {
  readonly #count: number;
  readonly #texts: StringCache;
  /** Room is made at the first run that is kept. */
  #runs: (readonly string[] | undefined)[] = [];
  #lengths = new Int32Array(0);
  #bytes = new Uint8Array(0);
  #cached = new DataView(this.#bytes.buffer);
  /** Where the run that was read last ended. */
  end = 0;

  /** Strings are made by `texts`, so that equal ones of different runs are one. */
  constructor(count: number, texts: StringCache) {
    this.#count = count;
    this.#texts = texts;
  }

  /**
   * The run of strings that begins at `start`, or undefined where it is not read here: a length of more than two bytes,
   * or beyond `limit`. The array is shared.
   */
  read(bytes: Buffer, start: number, limit: number): readonly string[] | undefined {
    if (latest.buffer !== bytes.buffer) latest = new DataView(bytes.buffer);
    const view = latest;
    const base = bytes.byteOffset;
    let hash = 0;
    let pos = start;
    for (let n = this.#count; n > 0; n--) {
      if (pos + 1 >= limit) return undefined;
      const first = bytes[pos] as number;
      const second = bytes[pos + 1] as number;
      let length = first >> 1;
      pos += 1;
      if (first >= 0x80) {
        if (second >= 0x80) return undefined;
        length = ((first & 0x7f) | (second << 7)) >> 1;
        pos += 1;
      }
      // The lowest bit is the sign.
      if ((first & 1) !== 0 || pos + length > limit) return undefined;
      hash = Math.imul(hash ^ length, 0x9e3779b1);
      if (length >= 4) {
        // Names differ at their ends, ids everywhere.
        hash = Math.imul(hash ^ view.getInt32(base + pos), 0x85ebca6b);
        hash = Math.imul(hash ^ view.getInt32(base + pos + length - 4), 0xc2b2ae35);
      } else if (length > 0) {
        hash = Math.imul(hash ^ (bytes[pos] as number), 0x27d4eb2f);
      }
      pos += length;
    }
    const place = (hash ^ (hash >>> 15)) >>> SHIFT;
    this.end = pos;
    const known = this.#runs[place];
    if (known !== undefined && this.#lengths[place] === pos - start) {
      if (this.#isCached(place * MAX_BYTES, base + start, pos - start)) return known;
    }
    return this.#make(bytes, start, place);
  }

  /** Compares four bytes at a time, and then what is left. */
  #isCached(place: number, at: number, length: number): boolean {
    const [view, cached] = [latest, this.#cached];
    let n = 0;
    for (const last = length - 4; n <= last; n += 4) {
      if (view.getInt32(at + n) !== cached.getInt32(place + n)) return false;
    }
    for (; n < length; n++) if (view.getUint8(at + n) !== cached.getUint8(place + n)) return false;
    return true;
  }

  #make(bytes: Buffer, start: number, place: number): readonly string[] {
    const run: string[] = [];
    let pos = start;
    while (run.length < this.#count) {
      const first = bytes[pos] as number;
      const from = pos + (first < 0x80 ? 1 : 2);
      const length = first < 0x80 ? first >> 1 : ((first & 0x7f) | ((bytes[pos + 1] as number) << 7)) >> 1;
      pos = from + length;
      run.push(this.#texts.read(bytes, from, pos));
    }
    if (pos - start <= MAX_BYTES) {
      if (this.#runs.length === 0) this.#makeRoom();
      this.#runs[place] = run;
      this.#lengths[place] = pos - start;
      this.#bytes.set(bytes.subarray(start, pos), place * MAX_BYTES);
    }
    return run;
  }

  #makeRoom(): void {
    this.#runs = Array.from({ length: PLACES }, () => undefined);
    this.#lengths = new Int32Array(PLACES);
    this.#bytes = new Uint8Array(PLACES * MAX_BYTES);
    this.#cached = new DataView(this.#bytes.buffer);
  }
}
