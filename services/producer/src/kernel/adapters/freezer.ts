// Freezes the cgroups of containers, and keeps on the disk which: what a killed producer has frozen, the next one thaws.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from './cgroups.ts';

export class Freezer {
  readonly #cgroups: Cgroups;
  readonly #folder: string;

  /** `folder`: has a file for each cgroup that is frozen, named by its id, with its path in it. */
  constructor(cgroups: Cgroups, folder: string) {
    this.#cgroups = cgroups;
    this.#folder = folder;
  }

  /** False where somebody else has frozen it, or it is gone: then it is nothing to thaw. */
  freeze(cgroupId: bigint, path: string): boolean {
    try {
      if (this.#cgroups.idOf(path) !== cgroupId || this.#state(path) !== '0') return false;
      mkdirSync(this.#folder, { recursive: true });
      // Before it is frozen: a kill in between leaves something to thaw that is not frozen, and not the contrary.
      writeFileSync(this.#recordOf(cgroupId), path);
      writeFileSync(this.#file(path), '1');
      return true;
    } catch {
      this.#undo(cgroupId, path);
      return false;
    }
  }

  /** What cannot be undone now stays noted for the next run. */
  #undo(cgroupId: bigint, path: string): void {
    try {
      this.thaw(cgroupId, path);
    } catch {
      // Its cgroup is going, or was never frozen.
    }
  }

  /** Throws where it is there and cannot be thawed; it is still known as frozen then. */
  thaw(cgroupId: bigint, path: string): void {
    if (this.#cgroups.idOf(path) === cgroupId) writeFileSync(this.#file(path), '0');
    rmSync(this.#recordOf(cgroupId), { force: true });
  }

  /** What an earlier run has left frozen: the paths. */
  thawLeft(): string[] {
    return this.#records().map((cgroupId) => {
      const path = readFileSync(this.#recordOf(cgroupId), 'utf8');
      this.thaw(cgroupId, path);
      return path;
    });
  }

  #records(): bigint[] {
    try {
      return readdirSync(this.#folder)
        .filter((name) => /^\d+$/.test(name))
        .map(BigInt);
    } catch {
      return [];
    }
  }

  #state(path: string): string {
    return readFileSync(this.#file(path), 'utf8').trim();
  }

  #file(path: string): string {
    return join(this.#cgroups.folder(path), 'cgroup.freeze');
  }

  #recordOf(cgroupId: bigint): string {
    return join(this.#folder, String(cgroupId));
  }
}
