// A file that takes up room until the disk is full, and is then given up.
//
// SQLite needs room even to delete: without a reserve, a spool that filled its disk could never be emptied again.
import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';

export const RESERVE_BYTES = 1024 * 1024;

export class DiskReserve {
  readonly #path: string;
  #held = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the room, if it is there and not taken yet. */
  hold(): void {
    if (this.#held) return;
    try {
      // Random bytes, since some file systems do not store zeros.
      this.#rewrite(randomBytes(RESERVE_BYTES));
      this.#held = true;
    } catch {
      this.release();
    }
  }

  release(): void {
    this.#held = false;
    try {
      this.#rewrite(Buffer.alloc(0));
    } catch {
      // Without a reserve things are as they would have been without this file.
    }
  }

  #rewrite(content: Buffer): void {
    const file = openSync(this.#path, 'w', 0o600);
    try {
      ftruncateSync(file, 0);
      for (let written = 0; written < content.length;) written += writeSync(file, content, written);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}
