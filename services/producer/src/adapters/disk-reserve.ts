// A file that takes up some room, and is given up when the disk is full: even to delete, SQLite needs a little.
import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';

export const RESERVE_BYTES = 256 * 1024;

/** Best effort: without a reserve things are as they would have been without this file. */
export class DiskReserve {
  readonly #path: string;
  #held = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the room, as far as it is there. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) >= RESERVE_BYTES) return;
    // Random bytes, since some file systems do not store zeros.
    this.#rewrite(randomBytes(RESERVE_BYTES));
  }

  release(): void {
    this.#held = false;
    this.#rewrite(Buffer.alloc(0));
  }

  #rewrite(content: Buffer): void {
    let file: number | undefined;
    try {
      file = openSync(this.#path, 'w', 0o600);
      for (let written = 0; written < content.length;) written += writeSync(file, content, written);
      fsyncSync(file);
    } catch {
      // What was written before the disk was full stays: that is room, too.
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }
}
