/**
 * Strings that come again and again (a node's id, a policy's name), kept so that a record need not make them anew.
 * Beside the allocation this saves the hash of the next Map lookup, which V8 keeps with the string.
 */

/** Longer strings are made each time. A container id has 64 bytes. */
const MAX_BYTES = 64;
/** Entries, a power of two; each place holds the last string that hashed to it. */
const PLACES = 8192;
/** Leaves as many bits of 32 as name a place. */
const SHIFT = 32 - Math.log2(PLACES);

/** Holds at most PLACES strings of MAX_BYTES bytes. */
export class StringCache {
  readonly #strings: string[] = Array.from({ length: PLACES }, () => '');
  readonly #bytes = new Uint8Array(PLACES * MAX_BYTES);
  readonly #cached = new DataView(this.#bytes.buffer);
  /** Of the buffer that was read last: a whole fetch lies in one. */
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** The bytes from `start` to `end` as UTF-8 text. */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length === 0) return '';
    if (length > MAX_BYTES) return bytes.toString('utf8', start, end);
    // Four bytes tell most apart: ids differ everywhere, names in length or at the end.
    const middle = start + (length >> 1);
    const hash =
      Math.imul(bytes[start] as number, 0x9e3779b1) ^
      Math.imul(bytes[end - 1] as number, 0x85ebca6b) ^
      Math.imul(bytes[middle] as number, 0xc2b2ae35) ^
      Math.imul(((bytes[start + (length >> 2)] as number) << 8) | length, 0x27d4eb2f);
    const place = hash >>> SHIFT;
    const known = this.#strings[place] as string;
    const base = place * MAX_BYTES;
    // What is cached has as many characters as bytes, so the length of one is the length of the other.
    if (known.length === length && this.#isCached(base, bytes, start, length)) return known;
    const made = bytes.toString('utf8', start, end);
    if (made.length === length) {
      this.#strings[place] = made;
      this.#bytes.set(bytes.subarray(start, end), base);
    }
    return made;
  }

  /** Compares four bytes at a time, and then what is left. */
  #isCached(base: number, bytes: Buffer, start: number, length: number): boolean {
    if (this.#view.buffer !== bytes.buffer) this.#view = new DataView(bytes.buffer);
    const view = this.#view;
    const cached = this.#cached;
    const at = bytes.byteOffset + start;
    let n = 0;
    for (const last = length - 4; n <= last; n += 4) {
      if (view.getInt32(at + n) !== cached.getInt32(base + n)) return false;
    }
    for (; n < length; n++) if (view.getUint8(at + n) !== cached.getUint8(base + n)) return false;
    return true;
  }
}
