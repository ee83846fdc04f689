/**
 * Windows by the minute of the partition's time in which they were last seen, so that those long unseen are found
 * without looking at all others. A window seen again stays in its old list until that comes up: no cost per alert. So
 * does one that was removed: its row is given back then.
 */
import { FLAG, NONE, type WindowTable } from './window-table.ts';

const MINUTE_IN_MICROS = 60_000_000;
/** Whole minutes: the 15 after which a window counts as absent, and one because both minutes are rounded down. */
const KEPT_MINUTES = 16;

export function minuteOf(micros: number): number {
  return Math.floor(micros / MINUTE_IN_MICROS);
}

export class MinuteIndex {
  readonly #table: WindowTable;
  /** The first row of each minute's list. */
  readonly #first = new Map<number, number>();
  /** Rows whose list came up while they had something to report: they are put back once they have not. */
  readonly #unreported = new Set<number>();

  constructor(table: WindowTable) {
    this.#table = table;
  }

  /** Does nothing for a row that is in a list already. */
  add(row: number): void {
    const table = this.#table;
    const flags = table.flags(row);
    if ((flags & FLAG.linked) !== 0) return;
    const minute = minuteOf(table.seenAtMicros(row));
    table.setFlags(row, flags | FLAG.linked);
    table.setNext(row, this.#first.get(minute) ?? NONE);
    this.#first.set(minute, row);
  }

  /** The window has nothing to report any more. */
  reported(row: number): void {
    if (this.#unreported.size > 0 && this.#unreported.delete(row)) this.add(row);
  }

  /** Tells `forget` of every window with nothing to report that was last seen in a minute at least 16 before `minute`. */
  takeUnseen(minute: number, isOpen: (row: number) => boolean, forget: (row: number) => void): void {
    const table = this.#table;
    const latest = minute - KEPT_MINUTES;
    for (const [listMinute, first] of [...this.#first]) {
      if (listMinute > latest) continue;
      this.#first.delete(listMinute);
      let next = first;
      while (next !== NONE) {
        const row = next;
        next = table.next(row);
        const flags = table.flags(row) & ~FLAG.linked;
        table.setFlags(row, flags);
        if ((flags & FLAG.removed) !== 0) table.release(row);
        else if (minuteOf(table.seenAtMicros(row)) > latest) this.add(row);
        else if (isOpen(row)) this.#unreported.add(row);
        else forget(row);
      }
    }
  }
}
