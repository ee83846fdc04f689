/** One container's window in a partition: the throttle's state, what time needs, and the details of an interval while there is one. */
import type { Window } from './decide.ts';
import type { Hash64 } from './hash64.ts';
import type { CrossingDetails, LogPosition } from './interval-event.ts';
import { NameCounters } from './name-counters.ts';
import { StateEntry } from './state-changes.ts';

/**
 * Kept small, for there may be a million: one hidden class, no closures.
 *
 * An interval is kept from the crossing until the container's time has reached its end, for its late alerts must still
 * be dropped: `quiet` (no interval) → `open` (dropped > 0) → `reported` (dropped = 0) → late: `open` again, or `quiet`.
 */
export class PartitionWindow extends StateEntry implements Window {
  readonly key: string;
  openedAtMicros = 0;
  passed = 0;
  /** Means something only while there is an interval. */
  throttledUntilMicros = 0;
  dropped = 0;
  lastMicros = 0;
  /** The partition's time at the container's previous eligible alert. */
  seenAtMicros: number;
  interval: Interval | undefined = undefined;

  constructor(key: string, seenAtMicros: number, hash: Hash64) {
    super();
    this.key = key;
    this.seenAtMicros = seenAtMicros;
    this.hashKey(hash, key);
  }

  /** Makes it the window of a container that was never seen. */
  clear(): void {
    this.openedAtMicros = 0;
    this.passed = 0;
    this.throttledUntilMicros = 0;
    this.dropped = 0;
    this.lastMicros = 0;
    this.interval = undefined;
  }

  mixInto(hash: Hash64): void {
    hash.integer(this.openedAtMicros);
    hash.int32(this.passed);
    hash.integer(this.lastMicros);
    hash.integer(this.seenAtMicros);
    const { interval } = this;
    if (interval === undefined) return;
    hash.integer(this.throttledUntilMicros);
    hash.integer(this.dropped);
    interval.mixInto(hash);
  }
}

export class Interval {
  readonly window: PartitionWindow;
  readonly startMicros: number;
  readonly maxAlertPerSec: number;
  readonly throttleSec: number;
  readonly details: CrossingDetails;
  /** It was reported at least once: what is counted now is late. */
  reported = false;
  /** When nothing of it can still come, in the partition's time. 0 while nothing is unreported. */
  dueMicros = 0;
  /** The due time under which the heap filed it: at most `dueMicros`. */
  filedMicros = 0;
  byPolicy = new NameCounters();
  byOperation = new NameCounters();
  firstDropped: LogPosition | null = null;
  lastDropped: LogPosition | null = null;

  constructor(
    window: PartitionWindow,
    startMicros: number,
    limits: { readonly maxAlertPerSec: number; readonly throttleSec: number },
    details: CrossingDetails,
  ) {
    this.window = window;
    this.startMicros = startMicros;
    this.maxAlertPerSec = limits.maxAlertPerSec;
    this.throttleSec = limits.throttleSec;
    this.details = details;
  }

  /** Whether alerts of this very interval were dropped and not reported. */
  get open(): boolean {
    return this.window.interval === this && this.window.dropped > 0;
  }

  count(policy: string, operation: string, partition: number, offset: number): void {
    this.byPolicy.add(policy);
    this.byOperation.add(operation);
    const last = this.lastDropped;
    if (last === null) {
      this.firstDropped = { Partition: partition, Offset: offset };
      this.lastDropped = { Partition: partition, Offset: offset };
    } else {
      last.Partition = partition;
      last.Offset = offset;
    }
  }

  /** The counts were reported; whatever still comes is counted anew. */
  startLate(): void {
    this.reported = true;
    this.dueMicros = 0;
    this.byPolicy = new NameCounters();
    this.byOperation = new NameCounters();
    this.firstDropped = null;
    this.lastDropped = null;
  }

  mixInto(hash: Hash64): void {
    hash.integer(this.startMicros);
    hash.int32(this.maxAlertPerSec);
    hash.int32(this.throttleSec);
    hash.int32(this.reported ? 1 : 0);
    hash.integer(this.dueMicros);
    mixPosition(hash, this.firstDropped);
    mixPosition(hash, this.lastDropped);
    mixCounters(hash, this.byPolicy);
    mixCounters(hash, this.byOperation);
  }
}

function mixPosition(hash: Hash64, position: LogPosition | null): void {
  hash.int32(position?.Partition ?? -1);
  hash.integer(position?.Offset ?? 0);
}

/** The numbers alone: names cost more to hash than all the rest. */
function mixCounters(hash: Hash64, counters: NameCounters): void {
  for (const count of counters.counts) hash.integer(count);
  hash.integer(counters.other);
}
