/**
 * Which entries of the fold's smaller state changed: since the last digest, and since the last checkpoint. The windows,
 * of which there may be a million, have their own (window-changes.ts).
 */
import { Hash64, Sum64 } from './hash64.ts';

const UNHASHED = 1;
const UNSAVED = 2;
const REMOVED = 4;
/** Its field is in the checkpoint as of the last take. */
const STORED = 8;

/** Entries that are hashed at the latest, so that the list stays short if nobody asks for a digest. */
const MAX_UNHASHED = 65_536;
/** Removed entries in the list of unsaved ones that are put up with. */
const MAX_REMOVED = 1_024;

/** One thing that the fold remembers. */
export abstract class StateEntry {
  flags = 0;
  keyHigh = 0;
  keyLow = 0;
  /** What the entry contributes to the digest now. */
  sumHigh = 0;
  sumLow = 0;

  abstract mixInto(hash: Hash64): void;

  get removed(): boolean {
    return (this.flags & REMOVED) !== 0;
  }

  protected hashKey(hash: Hash64, ...keys: readonly string[]): void {
    hash.start(keys.length, 0);
    for (const key of keys) hash.text(key);
    this.keyHigh = hash.high;
    this.keyLow = hash.low;
  }
}

/** How entries of one kind are written to the checkpoint. */
export interface EntryFormat<E> {
  field(entry: E): string;
  value(entry: E): string;
}

/** What to write to the checkpoint's hash and to its sorted set of throttled containers (score: end in Unix seconds). */
export interface CheckpointChanges {
  set: [field: string, value: string][];
  del: string[];
  throttledSet: [containerKey: string, endUnixSeconds: number][];
  throttledDel: string[];
}

export function noChanges(): CheckpointChanges {
  return { set: [], del: [], throttledSet: [], throttledDel: [] };
}

export class StateChanges<E extends StateEntry> {
  readonly #format: EntryFormat<E>;
  readonly #hash: Hash64;
  readonly #sum: Sum64;
  #unhashed: E[] = [];
  #unsaved: E[] = [];
  #removedUnsaved = 0;
  /** Stored fields whose entry is gone. */
  readonly #gone = new Set<string>();

  constructor(format: EntryFormat<E>, hash: Hash64, sum: Sum64) {
    this.#format = format;
    this.#hash = hash;
    this.#sum = sum;
  }

  /** A new entry. Takes over what is stored under its field from an entry that was removed. */
  add(entry: E): void {
    if (this.#gone.size > 0 && this.#gone.delete(this.#format.field(entry))) entry.flags |= STORED;
    this.touch(entry);
  }

  /** An entry that came from the checkpoint. */
  addStored(entry: E): void {
    entry.flags |= STORED;
    this.#markUnhashed(entry);
  }

  touch(entry: E): void {
    const { flags } = entry;
    if ((flags & (UNHASHED | UNSAVED)) === (UNHASHED | UNSAVED)) return;
    if ((flags & UNSAVED) === 0) {
      entry.flags |= UNSAVED;
      this.#unsaved.push(entry);
    }
    if ((flags & UNHASHED) === 0) this.#markUnhashed(entry);
  }

  remove(entry: E): void {
    this.#sum.subtract(entry.sumHigh, entry.sumLow);
    const { flags } = entry;
    entry.flags = flags | REMOVED;
    if ((flags & STORED) !== 0) this.#gone.add(this.#format.field(entry));
    if ((flags & UNSAVED) !== 0 && ++this.#removedUnsaved > MAX_REMOVED) this.#compact();
  }

  /** Brings the sum up to date. */
  rehash(): void {
    const hash = this.#hash;
    for (const entry of this.#unhashed) {
      if (entry.removed) continue;
      entry.flags &= ~UNHASHED;
      hash.start(entry.keyHigh, entry.keyLow);
      entry.mixInto(hash);
      hash.finish();
      this.#sum.subtract(entry.sumHigh, entry.sumLow);
      this.#sum.add(hash.high, hash.low);
      entry.sumHigh = hash.high;
      entry.sumLow = hash.low;
    }
    this.#unhashed = [];
  }

  /** Writes to `changes` what changed since the last take. */
  take(changes: CheckpointChanges): void {
    for (const entry of this.#unsaved) if (!entry.removed) this.#write(entry, changes);
    for (const field of this.#gone) changes.del.push(field);
    this.#forgetChanges();
  }

  /** Writes everything to `changes`, which replaces the checkpoint. */
  takeAll(entries: Iterable<E>, changes: CheckpointChanges): void {
    for (const entry of entries) this.#write(entry, changes);
    this.#forgetChanges();
  }

  #write(entry: E, changes: CheckpointChanges): void {
    const format = this.#format;
    changes.set.push([format.field(entry), format.value(entry)]);
    entry.flags = (entry.flags & ~UNSAVED) | STORED;
  }

  #forgetChanges(): void {
    this.#unsaved = [];
    this.#removedUnsaved = 0;
    this.#gone.clear();
  }

  #markUnhashed(entry: E): void {
    entry.flags |= UNHASHED;
    if (this.#unhashed.push(entry) >= MAX_UNHASHED) this.rehash();
  }

  /** Amortised: at least half of the list is removed entries. */
  #compact(): void {
    if (this.#removedUnsaved * 2 < this.#unsaved.length) return;
    this.#unsaved = this.#unsaved.filter((entry) => !entry.removed);
    this.#removedUnsaved = 0;
  }
}
