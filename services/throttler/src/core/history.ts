// What changed the fold besides the records: limits and idle time, each at an offset. It travels in the
// metadata of the committed offset, so that a state can be rebuilt exactly as it was.

import type { Limits, LimitsChange, OffsetMetadata } from '@alert-throttle/throttle';

/** Idle entries kept: only those matter under which a record was folded, and that is rarely more than one. */
const MAX_IDLE_ENTRIES = 20;
/** Changes of limits kept: about as many as the metadata of an offset has room for. */
const MAX_LIMITS_ENTRIES = 32;

export class History {
  /** Oldest first; the last is in force. Never empty. */
  readonly limits: LimitsChange[];
  /** [offset, micros]: before the record at `offset` was read, time had been advanced to `micros`. */
  readonly idle: [offset: number, micros: number][];

  /** Older entries were cut off, as the metadata of an offset is bounded. */
  #pruned: boolean;

  constructor(limits: readonly LimitsChange[], idle: readonly (readonly [number, number])[], pruned = false) {
    this.#pruned = pruned;
    this.limits = [...limits];
    this.idle = idle.map(([offset, micros]) => [offset, micros]);
  }

  static begin(from: number, limits: Limits): History {
    return new History([limitsChange(from, limits, 0)], []);
  }

  static of(metadata: OffsetMetadata): History {
    return new History(metadata.limits, metadata.idle, metadata.pruned);
  }

  /** Nothing before this offset was ever folded, as far as is known: 0 where older entries were cut off. */
  get begins(): number {
    return this.#pruned ? 0 : (this.limits[0]?.from ?? 0);
  }

  get pruned(): boolean {
    return this.#pruned;
  }

  get inForce(): LimitsChange {
    const last = this.limits.at(-1);
    if (last === undefined) throw new Error('a history has at least one entry of limits');
    return last;
  }

  changeLimits(from: number, limits: Limits, atMicros: number): void {
    this.limits.push(limitsChange(from, limits, atMicros));
    if (this.limits.length <= MAX_LIMITS_ENTRIES) return;
    this.limits.shift();
    this.#pruned = true;
  }

  timeAdvanced(offset: number, micros: number): void {
    if (this.idle.at(-1)?.[0] === offset) this.idle.pop();
    this.idle.push([offset, micros]);
    if (this.idle.length > MAX_IDLE_ENTRIES) this.idle.shift();
  }

  /**
   * The first record read at `position`. Idle time passed there is redundant if that record brings the time at
   * least as far; else the record was folded under it, and a rebuild must know.
   */
  recordRead(position: number, appendMicros: number): void {
    const last = this.idle.at(-1);
    if (last !== undefined && last[0] === position && appendMicros >= last[1]) this.idle.pop();
  }

  /** Where, from `from` on, something other than a record changes the fold; ascending, at most `to`. */
  steps(from: number, to: number): HistoryStep[] {
    const steps: HistoryStep[] = [];
    for (const [offset, micros] of this.idle) {
      if (offset >= from && offset <= to) steps.push({ offset, kind: 'idle', micros });
    }
    for (const [index, entry] of this.limits.entries()) {
      // The first entry is what everything began with, unless others before it were cut off.
      const isChange = index > 0 || this.#pruned;
      if (isChange && entry.from >= from && entry.from <= to) {
        steps.push({ offset: entry.from, kind: 'limits', limits: entry });
      }
    }
    return steps.sort((a, b) => a.offset - b.offset);
  }

  /** The limits for the first record at or after `offset`, before any step at that offset is taken. */
  limitsBefore(offset: number): LimitsChange {
    let found = this.limits[0];
    for (const entry of this.limits) if (entry.from < offset) found = entry;
    if (found === undefined) throw new Error('a history has at least one entry of limits');
    return found;
  }
}

export type HistoryStep =
  | { readonly offset: number; readonly kind: 'idle'; readonly micros: number }
  | { readonly offset: number; readonly kind: 'limits'; readonly limits: LimitsChange };

function limitsChange(from: number, limits: Limits, atMicros: number): LimitsChange {
  const { alertThrottling, maxAlertPerSec, throttleSec } = limits;
  return { from, at: atMicros, alertThrottling, maxAlertPerSec, throttleSec };
}
