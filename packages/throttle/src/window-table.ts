/**
 * All windows of a partition: a row of 64 bytes each, in pages outside of the heap, because there may be a million and
 * the collector would walk over as many objects. A row fits a cache line; its number stays the same while it is used.
 */
import type { Interval } from './interval.ts';

const PAGE_BITS = 12;
const PAGE_ROWS = 1 << PAGE_BITS;
const ROW_BYTES = 64;
/** Where a row's numbers are: times as doubles, then integers of 32 bits. */
const DOUBLES = ROW_BYTES / 8;
const INTEGERS = ROW_BYTES / 4;
export const AT = {
  openedAt: 0,
  last: 1,
  seen: 2,
  passed: 6,
  flags: 7,
  sumHigh: 8,
  sumLow: 9,
  keyHigh: 10,
  keyLow: 11,
  /** The next row in the list that this one is in: of a minute, or of free rows. */
  next: 12,
  /** Which interval is its own; 0: none. */
  interval: 13,
} as const;

/** No row. */
export const NONE = -1;

/** What is so of a row. */
export const FLAG = {
  /** Its hash is not in the digest as it is now. */
  unhashed: 1,
  /** It changed since the last take. */
  unsaved: 2,
  /** The window is gone; the row goes when nothing needs it any more. */
  removed: 4,
  /** Its field is in the checkpoint as of the last take. */
  stored: 8,
  /** It is in the checkpoint's list of what is throttled now. */
  listed: 16,
  /** A snapshot that is being taken has yet to write it, as it was when that began. */
  frozen: 32,
  /** It is in the list of a minute. */
  linked: 64,
  /** Nobody's. */
  free: 128,
} as const;

/** While one of these is set, something refers to the row: it cannot be given to another window. */
const NEEDED = FLAG.unhashed | FLAG.unsaved | FLAG.stored | FLAG.frozen | FLAG.linked;

export interface Page {
  readonly doubles: Float64Array;
  readonly integers: Int32Array;
  readonly keys: string[];
}

export class WindowTable {
  readonly #rows = new Map<string, number>();
  #pages: Page[] = [];
  #end = 0;
  #free = NONE;
  readonly #intervals: (Interval | undefined)[] = [undefined];
  readonly #freeIntervals: number[] = [];

  /** Rows that were ever used: each row is below. */
  get end(): number {
    return this.#end;
  }

  /** The row of that key, whether or not its window is gone; NONE if there is none. */
  find(key: string): number {
    return this.#rows.get(key) ?? NONE;
  }

  /** A row for a key that has none; all its numbers are 0. */
  add(key: string): number {
    const row = this.#free === NONE ? this.#end++ : this.#free;
    if (row >> PAGE_BITS >= this.#pages.length) this.#pages.push(newPage());
    const { integers, keys } = this.page(row);
    const at = integersAt(row);
    if (row === this.#free) this.#free = integers[at + AT.next] as number;
    integers.fill(0, at, at + INTEGERS);
    integers[at + AT.next] = NONE;
    keys[row & (PAGE_ROWS - 1)] = key;
    this.#rows.set(key, row);
    return row;
  }

  /** Gives a removed row back, if nothing needs it any more. */
  release(row: number): void {
    const { integers, keys } = this.page(row);
    const at = integersAt(row);
    if (((integers[at + AT.flags] as number) & (NEEDED | FLAG.removed | FLAG.free)) !== FLAG.removed) return;
    this.#rows.delete(keys[row & (PAGE_ROWS - 1)] as string);
    keys[row & (PAGE_ROWS - 1)] = '';
    integers[at + AT.flags] = FLAG.free;
    integers[at + AT.next] = this.#free;
    this.#free = row;
    if (this.#rows.size === 0) this.#shrink();
  }

  page(row: number): Page {
    return this.#pages[row >> PAGE_BITS] as Page;
  }

  key(row: number): string {
    return this.page(row).keys[row & (PAGE_ROWS - 1)] as string;
  }

  flags(row: number): number {
    return this.page(row).integers[integersAt(row) + AT.flags] as number;
  }

  setFlags(row: number, flags: number): void {
    this.page(row).integers[integersAt(row) + AT.flags] = flags;
  }

  next(row: number): number {
    return this.page(row).integers[integersAt(row) + AT.next] as number;
  }

  setNext(row: number, next: number): void {
    this.page(row).integers[integersAt(row) + AT.next] = next;
  }

  seenAtMicros(row: number): number {
    return this.page(row).doubles[doublesAt(row) + AT.seen] as number;
  }

  interval(number: number): Interval | undefined {
    return this.#intervals[number];
  }

  /** Where that interval is from now on. */
  addInterval(interval: Interval): number {
    const number = this.#freeIntervals.pop() ?? this.#intervals.length;
    this.#intervals[number] = interval;
    return number;
  }

  freeInterval(number: number): void {
    this.#intervals[number] = undefined;
    this.#freeIntervals.push(number);
  }

  /** Everything is free. */
  #shrink(): void {
    this.#pages = [];
    this.#end = 0;
    this.#free = NONE;
  }
}

export function doublesAt(row: number): number {
  return (row & (PAGE_ROWS - 1)) * DOUBLES;
}

export function integersAt(row: number): number {
  return (row & (PAGE_ROWS - 1)) * INTEGERS;
}

function newPage(): Page {
  const bytes = new ArrayBuffer(PAGE_ROWS * ROW_BYTES);
  return { doubles: new Float64Array(bytes), integers: new Int32Array(bytes), keys: [] };
}
