/** What is counted while a container is throttled, and what its reports say. Only throttled containers have one. */
import type { Hash64 } from './hash64.ts';
import type { CrossingDetails, LogPosition } from './interval-event.ts';
import { NameCounters } from './name-counters.ts';
import { sharedDetails } from './shared-details.ts';

export class Interval {
  /** The window's key and its row in the table. */
  readonly key: string;
  readonly row: number;
  readonly startMicros: number;
  /** The container's time at which it ends. */
  untilMicros = 0;
  readonly maxAlertPerSec: number;
  readonly throttleSec: number;
  readonly details: CrossingDetails;
  /** Alerts dropped and not reported yet. */
  dropped = 0;
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
    window: { readonly key: string; readonly row: number },
    startMicros: number,
    limits: { readonly maxAlertPerSec: number; readonly throttleSec: number },
    details: CrossingDetails,
  ) {
    this.key = window.key;
    this.row = window.row;
    this.startMicros = startMicros;
    this.maxAlertPerSec = limits.maxAlertPerSec;
    this.throttleSec = limits.throttleSec;
    this.details = sharedDetails(details, window.key);
  }

  /** Whether alerts were dropped and not reported. Always reported before its window lets go of it. */
  get open(): boolean {
    return this.dropped > 0;
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
    this.dropped = 0;
    this.reported = true;
    this.dueMicros = 0;
    this.byPolicy = new NameCounters();
    this.byOperation = new NameCounters();
    this.firstDropped = null;
    this.lastDropped = null;
  }

  mixInto(hash: Hash64): void {
    hash.integer(this.untilMicros);
    hash.integer(this.dropped);
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
