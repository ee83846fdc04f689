/**
 * Windows by the minute of the partition's time in which they were last seen, so that those long unseen are found
 * without looking at all others. A window seen again stays in its old bucket until that comes up: no cost per alert.
 */
import type { PartitionWindow } from './partition-window.ts';

const MINUTE_IN_MICROS = 60_000_000;
/** Whole minutes: the 15 after which a window counts as absent, and one because both minutes are rounded down. */
const KEPT_MINUTES = 16;

export function minuteOf(micros: number): number {
  return Math.floor(micros / MINUTE_IN_MICROS);
}

export class MinuteIndex {
  readonly #buckets = new Map<number, PartitionWindow[]>();
  /** Windows whose bucket came up while they had something to report: they are put back once they have not. */
  readonly #unreported = new Set<PartitionWindow>();

  add(window: PartitionWindow): void {
    const minute = minuteOf(window.seenAtMicros);
    const bucket = this.#buckets.get(minute);
    if (bucket === undefined) this.#buckets.set(minute, [window]);
    else bucket.push(window);
  }

  /** The window has nothing to report any more. */
  reported(window: PartitionWindow): void {
    if (this.#unreported.size > 0 && this.#unreported.delete(window)) this.add(window);
  }

  /** Every window with nothing to report that was last seen in a minute at least 16 before `minute`, taken out. */
  takeUnseen(minute: number): PartitionWindow[] {
    const latest = minute - KEPT_MINUTES;
    const unseen: PartitionWindow[] = [];
    for (const [bucketMinute, bucket] of [...this.#buckets]) {
      if (bucketMinute > latest) continue;
      this.#buckets.delete(bucketMinute);
      for (const window of bucket) {
        if (window.removed) continue;
        if (minuteOf(window.seenAtMicros) > latest) this.add(window);
        else if (window.dropped > 0) this.#unreported.add(window);
        else unseen.push(window);
      }
    }
    return unseen;
  }

  clear(): void {
    this.#buckets.clear();
    this.#unreported.clear();
  }
}
