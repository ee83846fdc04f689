/**
 * The digest's arithmetic: a 64-bit hash in two 32-bit lanes, and a sum of such hashes modulo 2^64. BigInt would cost
 * more than the rest of a decision. Against accidents, not against an attacker.
 */

const TWO_32 = 4_294_967_296;

/** Two lanes of MurmurHash3's 32-bit round (Austin Appleby, public domain) with different constants, crossed at the end. */
export class Hash64 {
  high = 0;
  low = 0;

  start(high: number, low: number): void {
    this.high = high;
    this.low = low;
  }

  /** Mixes in the low 32 bits of an integer. */
  int32(value: number): void {
    let a = Math.imul(value, 0xcc9e2d51);
    a = Math.imul((a << 15) | (a >>> 17), 0x1b873593) ^ this.high;
    this.high = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
    let b = Math.imul(value, 0x239b961b);
    b = Math.imul((b << 16) | (b >>> 16), 0xab0e9789 | 0) ^ this.low;
    this.low = (Math.imul((b << 17) | (b >>> 15), 5) + 0x561ccd1b) | 0;
  }

  /** Mixes in a non-negative integer below 2^53. */
  integer(value: number): void {
    this.int32(value | 0);
    this.int32((value / TWO_32) | 0);
  }

  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.int32(value.charCodeAt(i));
    this.int32(value.length);
  }

  finish(): void {
    const high = avalanche(this.high ^ Math.imul(this.low, 0x9e3779b1));
    this.low = avalanche(this.low ^ Math.imul(high, 0x85ebca77));
    this.high = high;
  }
}

function avalanche(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A sum modulo 2^64, which does not depend on the order of what was added and subtracted. */
export class Sum64 {
  #high = 0;
  #low = 0;

  add(high: number, low: number): void {
    const sum = this.#low + (low >>> 0);
    this.#low = sum >>> 0;
    this.#high = (this.#high + (high >>> 0) + (sum >= TWO_32 ? 1 : 0)) >>> 0;
  }

  subtract(high: number, low: number): void {
    const difference = this.#low - (low >>> 0);
    this.#low = difference >>> 0;
    this.#high = (this.#high - (high >>> 0) - (difference < 0 ? 1 : 0)) >>> 0;
  }

  /** 16 hex digits. */
  toString(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0');
  }
}
