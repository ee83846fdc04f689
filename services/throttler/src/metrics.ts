// The throttler's metrics. Labels are bounded: partitions of one topic, and fixed lists of reasons.

import { Metrics } from '@alert-throttle/observability';

import type { PoisonReason } from './core/dead-letter.ts';
import type { FoldCounts } from './core/record-folder.ts';
import type { OwnerObserver } from './owner-dependencies.ts';

export class ThrottlerMetrics implements OwnerObserver {
  readonly metrics = new Metrics('throttler');
  readonly #in = this.metrics.counter('alerts_in_total', 'Records of the raw topic that were decided.');
  readonly #passed = this.metrics.counter('alerts_passed_total', 'Alerts forwarded to the throttled topic.');
  readonly #dropped = this.metrics.counter('alerts_dropped_total', 'Alerts dropped by the throttle.');
  readonly #thresholds = this.metrics.counter('thresholds_total', 'AlertThreshold events.');
  readonly #ended = this.metrics.counter('thresholds_ended_total', 'AlertThresholdEnded events.');
  readonly #repeats = this.metrics.counter('repeats_total', 'Records skipped since they were read before.');
  readonly #tombstones = this.metrics.counter('tombstones_total', 'Containers reported as deleted.');
  readonly #deadLetters = this.metrics.counter('dead_letters_total', 'Records that are no alerts.', [
    'reason',
  ]);
  readonly #claims = this.metrics.counter(
    'claims_total',
    'Partitions claimed, by what the state came from.',
    ['how'],
  );
  readonly #reclaims = this.metrics.counter('claims_lost_total', 'Claims lost to an error or another owner.');
  readonly #mismatches = this.metrics.counter(
    'digest_mismatches_total',
    'Rebuilt states that did not fit their digest.',
  );
  readonly #lagRecords = this.metrics.gauge('lag_records', 'Records not yet read.', ['partition']);
  readonly #lagSeconds = this.metrics.gauge(
    'lag_seconds',
    'Age of the last record read while there are more.',
    ['partition'],
  );
  readonly #batch = this.metrics.histogram('batch_seconds', 'Folding one fetched batch.');
  readonly #commit = this.metrics.histogram('commit_seconds', 'One transaction.');
  readonly #windows = this.metrics.gauge('windows', 'Windows in memory.', ['partition']);
  readonly #throttled = this.metrics.gauge('windows_throttled', 'Intervals not yet reported.', ['partition']);
  readonly #rebuilding = this.metrics.gauge('rebuild_records_left', 'Records to fold before going live.', [
    'partition',
  ]);
  readonly #degraded = this.metrics.gauge(
    'redis_degraded',
    '1 while checkpoints cannot be written to Redis.',
  );
  readonly #flushed = this.metrics.counter('checkpoint_fields_total', 'Fields written to checkpoints.');
  readonly #degradedPartitions = new Set<number>();
  readonly #lastAppendMs = new Map<number, number>();

  claimed(_partition: number, how: string): void {
    this.#claims.inc({ how });
  }

  committed(_partition: number, counts: FoldCounts, seconds: number): void {
    this.#commit.observe(seconds);
    this.#in.inc(counts.in);
    this.#passed.inc(counts.passed);
    this.#dropped.inc(counts.dropped);
    this.#thresholds.inc(counts.thresholds);
    this.#ended.inc(counts.thresholdsEnded);
    this.#repeats.inc(counts.repeats);
    this.#tombstones.inc(counts.tombstones);
    for (const [reason, count] of counts.deadLetters) this.#deadLetters.inc(labels(reason), count);
  }

  folded(_partition: number, _records: number, seconds: number): void {
    this.#batch.observe(seconds);
  }

  position(partition: number, lagRecords: number, lastAppendMs: number): void {
    if (lastAppendMs > 0) this.#lastAppendMs.set(partition, lastAppendMs);
    const label = { partition: String(partition) };
    this.#lagRecords.set(label, lagRecords);
    const lastMs = this.#lastAppendMs.get(partition);
    const lagMs = lagRecords === 0 || lastMs === undefined ? 0 : Math.max(0, Date.now() - lastMs);
    this.#lagSeconds.set(label, lagMs / 1000);
  }

  windows(partition: number, windows: number, throttled: number): void {
    this.#windows.set({ partition: String(partition) }, windows);
    this.#throttled.set({ partition: String(partition) }, throttled);
  }

  rebuilding(partition: number, recordsLeft: number): void {
    this.#rebuilding.set({ partition: String(partition) }, recordsLeft);
  }

  digestMismatch(): void {
    this.#mismatches.inc();
  }

  degraded(partition: number, degraded: boolean): void {
    if (degraded) this.#degradedPartitions.add(partition);
    else this.#degradedPartitions.delete(partition);
    this.#degraded.set(this.#degradedPartitions.size > 0 ? 1 : 0);
  }

  flushed(_partition: number, fields: number): void {
    this.#flushed.inc(fields);
  }

  reclaimed(): void {
    this.#reclaims.inc();
  }

  /** Drops what is said of partitions that are another instance's now. */
  ownedPartitions(partitions: readonly number[]): void {
    const owned = new Set(partitions);
    for (const partition of [...this.#lastAppendMs.keys(), ...this.#degradedPartitions]) {
      if (owned.has(partition)) continue;
      this.#lastAppendMs.delete(partition);
      this.degraded(partition, false);
      const label = { partition: String(partition) };
      for (const gauge of [
        this.#lagRecords,
        this.#lagSeconds,
        this.#windows,
        this.#throttled,
        this.#rebuilding,
      ]) {
        gauge.remove(label);
      }
    }
  }
}

function labels(reason: PoisonReason): { reason: string } {
  return { reason };
}
