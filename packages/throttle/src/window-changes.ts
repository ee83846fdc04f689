/**
 * Which windows changed: since the last digest, and since the last checkpoint. Both are lists of rows that a row joins
 * at its first change, so that a change costs a test of its flags.
 *
 * A snapshot is taken in slices while the fold goes on. It writes each window as it was when the snapshot began: what
 * is about to change before its turn has come is written first (`beforeChange`).
 */
import type { CheckpointChanges } from './state-changes.ts';
import { fieldOf, formatWindow } from './checkpoint-format.ts';
import type { Hash64, Sum64 } from './hash64.ts';
import { PartitionWindow } from './partition-window.ts';
import { FLAG, type WindowTable } from './window-table.ts';

/** Rows that are hashed at the latest, so that the list stays short if nobody asks for a digest. */
const MAX_UNHASHED = 65_536;
/** Removed rows in the list of unsaved ones that are put up with. */
const MAX_REMOVED = 1_024;
/** Rows that a slice of a snapshot looks at, at most. */
const ROWS_PER_SLICE = 65_536;

export class WindowChanges {
  readonly #profile: string;
  readonly #table: WindowTable;
  readonly #hash: Hash64;
  readonly #sum: Sum64;
  /** A view of its own: the fold's shows the window that is being decided. */
  readonly #window: PartitionWindow;
  #unhashed: number[] = [];
  #unsaved: number[] = [];
  #removedUnsaved = 0;
  /** Where a snapshot that is being taken is written. */
  #snapshot: CheckpointChanges | undefined = undefined;

  constructor(profile: string, table: WindowTable, hash: Hash64, sum: Sum64) {
    this.#profile = profile;
    this.#table = table;
    this.#hash = hash;
    this.#sum = sum;
    this.#window = new PartitionWindow(table);
  }

  /** Windows that the next `take` is about. */
  get unsavedCount(): number {
    return this.#unsaved.length;
  }

  /** To be called before anything of the window changes. */
  beforeChange(row: number): void {
    if ((this.#table.flags(row) & FLAG.frozen) !== 0) this.#writeFrozen(row);
  }

  /** A window that came from the checkpoint. */
  addStored(window: PartitionWindow): void {
    window.flags |= window.dropped > 0 ? FLAG.stored | FLAG.listed : FLAG.stored;
    this.#markUnhashed(window);
  }

  /** The window was changed, or is a new one. */
  touch(window: PartitionWindow): void {
    const { flags } = window;
    if ((flags & (FLAG.unhashed | FLAG.unsaved)) === (FLAG.unhashed | FLAG.unsaved)) return;
    if ((flags & FLAG.unsaved) === 0) {
      window.flags = flags | FLAG.unsaved;
      this.#unsaved.push(window.row);
    }
    if ((flags & FLAG.unhashed) === 0) this.#markUnhashed(window);
  }

  /** The window is gone. Its row is used again once nothing needs it: the checkpoint does while its field is there. */
  remove(window: PartitionWindow): void {
    this.#sum.subtract(window.sumHigh, window.sumLow);
    window.setSum(0, 0);
    const flags = window.flags | FLAG.removed;
    window.flags = flags;
    if ((flags & (FLAG.stored | FLAG.frozen)) !== 0) {
      if ((flags & FLAG.unsaved) !== 0) return;
      window.flags = flags | FLAG.unsaved;
      this.#unsaved.push(window.row);
    } else if ((flags & FLAG.unsaved) === 0) {
      this.#table.release(window.row);
    } else if (++this.#removedUnsaved > MAX_REMOVED) {
      this.#compact();
    }
  }

  /** Brings the sum up to date. */
  rehash(): void {
    const hash = this.#hash;
    const unhashed = this.#unhashed;
    if (unhashed.length === 0) return;
    this.#unhashed = [];
    for (const row of unhashed) {
      const window = this.#window.show(row);
      const flags = window.flags & ~FLAG.unhashed;
      window.flags = flags;
      if ((flags & FLAG.removed) !== 0) {
        this.#table.release(row);
        continue;
      }
      window.hashInto(hash);
      this.#sum.subtract(window.sumHigh, window.sumLow);
      this.#sum.add(hash.high, hash.low);
      window.setSum(hash.high, hash.low);
    }
  }

  /** Writes to `changes` what changed since the last take. */
  take(changes: CheckpointChanges): void {
    const unsaved = this.#unsaved;
    this.#forgetUnsaved();
    for (const row of unsaved) {
      const window = this.#window.show(row);
      const { flags } = window;
      if ((flags & FLAG.removed) === 0) {
        window.flags = flags & ~FLAG.unsaved;
        this.#write(window, changes);
        continue;
      }
      if ((flags & FLAG.stored) !== 0) changes.del.push(fieldOf(this.#profile, window.key));
      if ((flags & FLAG.listed) !== 0) changes.throttledDel.push(window.key);
      window.flags = flags & ~(FLAG.unsaved | FLAG.stored | FLAG.listed);
      this.#table.release(row);
    }
  }

  /**
   * Begins a snapshot of the windows as they are now, which counts as a take of them. It is written to `changes` of
   * each slice; a snapshot that is given up must be returned from, and another one taken later.
   */
  snapshot(): (changes: CheckpointChanges, entries: number) => boolean {
    const table = this.#table;
    const { end } = table;
    this.#forgetUnsaved();
    for (let row = 0; row < end; row++) {
      const flags = table.flags(row);
      if ((flags & FLAG.free) !== 0) continue;
      table.setFlags(row, (flags & ~(FLAG.unsaved | FLAG.listed)) | FLAG.frozen);
    }
    let row = 0;
    const early: CheckpointChanges = { set: [], del: [], throttledSet: [], throttledDel: [] };
    this.#snapshot = early;
    return (changes, entries) => {
      if (this.#snapshot !== early) throw new Error('this snapshot was given up: a later one was begun');
      for (const one of early.set.splice(0, entries)) changes.set.push(one);
      for (const one of early.throttledSet.splice(0, entries)) changes.throttledSet.push(one);
      const last = Math.min(row + ROWS_PER_SLICE, end);
      this.#snapshot = changes;
      // The table shrinks where nothing is left of it.
      while (row < last && row < table.end && changes.set.length < entries) {
        if ((table.flags(row) & FLAG.frozen) !== 0) {
          this.#writeFrozen(row);
          table.release(row);
        }
        row += 1;
      }
      const left = early.set.length > 0 || early.throttledSet.length > 0;
      const more = left || row < Math.min(end, table.end);
      this.#snapshot = more ? early : undefined;
      return more;
    };
  }

  /** Gives up the snapshot that is being taken, if there is one. */
  giveUp(): void {
    if (this.#snapshot === undefined) return;
    this.#snapshot = undefined;
    const table = this.#table;
    for (let row = 0; row < table.end; row++) {
      const flags = table.flags(row);
      if ((flags & FLAG.frozen) === 0) continue;
      // What is stored is replaced by the next snapshot, whatever it is.
      table.setFlags(row, flags & ~(FLAG.frozen | FLAG.stored | FLAG.listed));
      table.release(row);
    }
  }

  /** As it was when the snapshot began: if it was removed since, then its row has not changed otherwise. */
  #writeFrozen(row: number): void {
    const window = this.#window.show(row);
    const flags = window.flags & ~FLAG.frozen;
    window.flags = flags;
    if ((flags & (FLAG.removed | FLAG.unsaved)) === FLAG.removed) window.flags = flags & ~FLAG.stored;
    else if (this.#snapshot !== undefined) this.#write(window, this.#snapshot);
  }

  #write(window: PartitionWindow, changes: CheckpointChanges): void {
    const { key, flags } = window;
    changes.set.push([fieldOf(this.#profile, key), formatWindow(window)]);
    if (window.dropped > 0) {
      window.flags = flags | FLAG.stored | FLAG.listed;
      changes.throttledSet.push([key, window.throttledUntilMicros / 1_000_000]);
    } else {
      window.flags = (flags | FLAG.stored) & ~FLAG.listed;
      if ((flags & FLAG.listed) !== 0) changes.throttledDel.push(key);
    }
  }

  #forgetUnsaved(): void {
    this.#unsaved = [];
    this.#removedUnsaved = 0;
  }

  #markUnhashed(window: PartitionWindow): void {
    window.flags |= FLAG.unhashed;
    if (this.#unhashed.push(window.row) >= MAX_UNHASHED) this.rehash();
  }

  /** Amortised: at least half of the list is removed rows. */
  #compact(): void {
    if (this.#removedUnsaved * 2 < this.#unsaved.length) return;
    const table = this.#table;
    this.#unsaved = this.#unsaved.filter((row) => {
      const flags = table.flags(row);
      if ((flags & (FLAG.removed | FLAG.stored | FLAG.frozen)) !== FLAG.removed) return true;
      table.setFlags(row, flags & ~FLAG.unsaved);
      table.release(row);
      return false;
    });
    this.#removedUnsaved = 0;
  }
}
