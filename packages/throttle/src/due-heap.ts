/**
 * The unreported intervals, by due time, then container. Each dropped alert raises its interval's due time, so an
 * interval stays filed under the one it had when it was filed and is filed anew when it comes up: a dropped alert costs
 * nothing here.
 */
import type { Interval } from './interval.ts';

/** Entries up to which reported intervals are left in the heap. */
const MIN_COMPACTED = 64;

export class DueHeap {
  #heap: Interval[] = [];
  /** Unreported intervals: as many as containers are throttled now, or are to be reported once more. */
  #open = 0;

  get openCount(): number {
    return this.#open;
  }

  /** The interval begins to be open. Its due time may grow from here on, and nothing else. */
  open(interval: Interval): void {
    this.#open += 1;
    interval.filedMicros = interval.dueMicros;
    if (this.#heap.length >= MIN_COMPACTED && this.#heap.length > 2 * this.#open) this.#compact();
    this.#heap.push(interval);
    this.#rise(this.#heap.length - 1);
  }

  /** It was reported. Its entry is left behind until it comes up. */
  closed(): void {
    this.#open -= 1;
  }

  /** The open interval that is due first, or undefined. */
  first(): Interval | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      if (!top.open) this.#removeFirst();
      else if (top.filedMicros < top.dueMicros) {
        top.filedMicros = top.dueMicros;
        this.#sink(0);
      } else return top;
    }
  }

  /** The same where it is due by then. Whatever is filed for later is due no earlier, and is not looked at. */
  firstDueBy(micros: number): Interval | undefined {
    const top = this.#heap[0];
    if (top === undefined || top.filedMicros > micros) return undefined;
    const first = this.first();
    return first !== undefined && first.dueMicros <= micros ? first : undefined;
  }

  /** An interval is never in the heap twice: it is opened again only after it came up here. */
  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #compact(): void {
    this.#heap = this.#heap.filter((interval) => interval.open);
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, parent)) return;
      at = parent;
    }
  }

  #sink(from: number): void {
    const { length } = this.#heap;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) return;
      if (child + 1 < length && this.#isBefore(child + 1, child)) child += 1;
      if (!this.#swapIfBefore(child, at)) return;
      at = child;
    }
  }

  #swapIfBefore(i: number, j: number): boolean {
    if (!this.#isBefore(i, j)) return false;
    const [a, b] = [this.#heap[i], this.#heap[j]];
    if (a === undefined || b === undefined) return false;
    this.#heap[i] = b;
    this.#heap[j] = a;
    return true;
  }

  #isBefore(i: number, j: number): boolean {
    const [a, b] = [this.#heap[i], this.#heap[j]];
    if (a === undefined || b === undefined) return false;
    if (a.filedMicros !== b.filedMicros) return a.filedMicros < b.filedMicros;
    return a.key < b.key;
  }
}
