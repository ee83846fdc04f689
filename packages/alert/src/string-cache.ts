/**
 * Strings that come again and again (a node's id, a policy's name), kept so that a record need not make them anew.
 * Beside the allocation this saves the hash of the next Map lookup, which V8 keeps with the string.
 */

/** Longer strings are made each time. A container id has 64 bytes. */
const MAX_BYTES = 64;
/** Entries, a power of two; each place holds the last string that hashed to it. */
const PLACES = 1024;

/** Holds at most PLACES strings of MAX_BYTES bytes. */
export class StringCache {
  readonly #strings: string[] = Array.from({ length: PLACES }, () => '');
  readonly #bytes = new Uint8Array(PLACES * MAX_BYTES);

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
    const place = hash >>> 22;
    const known = this.#strings[place] as string;
    const cached = this.#bytes;
    const base = place * MAX_BYTES;
    // What is cached has as many characters as bytes, so the length of one is the length of the other.
    if (known.length === length) {
      let n = 0;
      while (n < length && cached[base + n] === bytes[start + n]) n++;
      if (n === length) return known;
    }
    const made = bytes.toString('utf8', start, end);
    if (made.length === length) {
      this.#strings[place] = made;
      for (let n = 0; n < length; n++) cached[base + n] = bytes[start + n] as number;
    }
    return made;
  }
}
