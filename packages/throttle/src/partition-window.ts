/** One container's window in a partition, as a view of its row: the throttle's state, and what time needs. */
import type { Window } from './decide.ts';
import type { Hash64 } from './hash64.ts';
import type { Interval } from './interval.ts';
import { AT, doublesAt, integersAt, NONE, type WindowTable } from './window-table.ts';

/**
 * Shows one row after the other, so that a million windows are no million objects.
 *
 * An interval is kept from the crossing until the container's time has reached its end, for its late alerts must still
 * be dropped: `quiet` (no interval) → `open` (dropped > 0) → `reported` (dropped = 0) → late: `open` again, or `quiet`.
 * What a window counts in an interval stands there; without one it is 0.
 */
export class PartitionWindow implements Window {
  readonly #table: WindowTable;
  row = NONE;
  #doubles: Float64Array = new Float64Array(0);
  #integers: Int32Array = new Int32Array(0);
  #double = 0;
  #integer = 0;
  #interval: Interval | undefined = undefined;

  constructor(table: WindowTable) {
    this.#table = table;
  }

  /** Shows that row from now on. */
  show(row: number): this {
    const { doubles, integers } = this.#table.page(row);
    this.row = row;
    this.#doubles = doubles;
    this.#integers = integers;
    this.#double = doublesAt(row);
    this.#integer = integersAt(row);
    const number = integers[this.#integer + AT.interval] as number;
    this.#interval = number === 0 ? undefined : this.#table.interval(number);
    return this;
  }

  get key(): string {
    return this.#table.key(this.row);
  }

  get openedAtMicros(): number {
    return this.#doubles[this.#double + AT.openedAt] as number;
  }

  set openedAtMicros(micros: number) {
    this.#doubles[this.#double + AT.openedAt] = micros;
  }

  get lastMicros(): number {
    return this.#doubles[this.#double + AT.last] as number;
  }

  set lastMicros(micros: number) {
    this.#doubles[this.#double + AT.last] = micros;
  }

  /** The partition's time at the container's previous eligible alert. */
  get seenAtMicros(): number {
    return this.#doubles[this.#double + AT.seen] as number;
  }

  set seenAtMicros(micros: number) {
    this.#doubles[this.#double + AT.seen] = micros;
  }

  get passed(): number {
    return this.#integers[this.#integer + AT.passed] as number;
  }

  set passed(passed: number) {
    this.#integers[this.#integer + AT.passed] = passed;
  }

  get throttledUntilMicros(): number {
    return this.#interval === undefined ? 0 : this.#interval.untilMicros;
  }

  set throttledUntilMicros(micros: number) {
    if (this.#interval !== undefined) this.#interval.untilMicros = micros;
  }

  get dropped(): number {
    return this.#interval === undefined ? 0 : this.#interval.dropped;
  }

  set dropped(dropped: number) {
    if (this.#interval !== undefined) this.#interval.dropped = dropped;
  }

  get interval(): Interval | undefined {
    return this.#interval;
  }

  set interval(interval: Interval | undefined) {
    const at = this.#integer + AT.interval;
    const number = this.#integers[at] as number;
    if (number !== 0) this.#table.freeInterval(number);
    this.#integers[at] = interval === undefined ? 0 : this.#table.addInterval(interval);
    this.#interval = interval;
  }

  get flags(): number {
    return this.#integers[this.#integer + AT.flags] as number;
  }

  set flags(flags: number) {
    this.#integers[this.#integer + AT.flags] = flags;
  }

  /** What the window contributes to the digest now. */
  get sumHigh(): number {
    return this.#integers[this.#integer + AT.sumHigh] as number;
  }

  get sumLow(): number {
    return this.#integers[this.#integer + AT.sumLow] as number;
  }

  setSum(high: number, low: number): void {
    this.#integers[this.#integer + AT.sumHigh] = high;
    this.#integers[this.#integer + AT.sumLow] = low;
  }

  /** Makes it the window of a container that was never seen. */
  clear(): void {
    this.openedAtMicros = 0;
    this.passed = 0;
    this.lastMicros = 0;
    if (this.#interval !== undefined) this.interval = undefined;
  }

  /** The key's part of the hash stays the same. */
  hashKey(hash: Hash64): void {
    hash.start(1, 0);
    hash.text(this.key);
    this.#integers[this.#integer + AT.keyHigh] = hash.high;
    this.#integers[this.#integer + AT.keyLow] = hash.low;
  }

  /** Leaves the window's hash in `hash`. */
  hashInto(hash: Hash64): void {
    const integers = this.#integers;
    const at = this.#integer;
    hash.start(integers[at + AT.keyHigh] as number, integers[at + AT.keyLow] as number);
    hash.integer(this.openedAtMicros);
    hash.int32(this.passed);
    hash.integer(this.lastMicros);
    hash.integer(this.seenAtMicros);
    this.#interval?.mixInto(hash);
    hash.finish();
  }
}
