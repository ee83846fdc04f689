// One claim on a partition: its producer, its state and how far both have come. All that changes what is
// committed goes through `commit`; the checkpoint follows behind. A claim that met an error is never used again.

import {
  appendTimeMicros,
  FOLD_VERSION,
  formatOffsetMetadata,
  type Limits,
  PartitionFold,
  sameLimits,
} from '@alert-throttle/throttle';

import type { Checkpointer } from './checkpointer.ts';
import type { History } from './core/history.ts';
import { RecordFolder } from './core/record-folder.ts';
import type { OwnerDependencies } from './owner-dependencies.ts';
import type {
  CommittedOffset,
  FetchedBatch,
  OutputRecord,
  PartitionTransactions,
  RawRecords,
} from './ports.ts';

/** A batch without output rides in the next transaction, at the latest after this. */
const COMMIT_WITHIN_MS = 1000;
/** Records of one transaction at most: a fetch that came compressed may hold many times as many. */
export const RECORDS_PER_COMMIT = 5000;
/** How often what changed goes to Redis. */
const FLUSH_EVERY_MS = 1000;
/** How often an unchanged checkpoint is looked at, and its age renewed: Redis may have lost it. */
const REFRESH_EVERY_MS = 10_000;
/** How often a failed flush is tried again. */
const RETRY_FLUSH_MS = 3000;
/** An idle partition's time is advanced a second late rather than early. */
const IDLE_LATE_MICROS = 1_000_000;
/** How often idle time passed so far is committed while an interval is open, so that a restart goes on from it. */
const IDLE_COMMIT_EVERY_MICROS = 5_000_000;

export interface ClaimParts {
  readonly transactions: PartitionTransactions;
  readonly fold: PartitionFold;
  readonly history: History;
  /** Offset of the next record to fold; committed already, or about to be. */
  readonly position: number;
}

export class Claim {
  readonly transactions: PartitionTransactions;
  readonly fold: PartitionFold;
  readonly folder: RecordFolder;
  readonly history: History;
  /** Offset of the next record to fold. */
  position: number;
  /** What was committed last, by this claim or before it. */
  committed: CommittedOffset | undefined;
  /** In force, and committed. */
  limits: Limits;
  readonly #deps: OwnerDependencies;
  readonly #checkpointer: Checkpointer;
  /** Since when something folded is not committed; while undefined, the state is the committed one. */
  #pendingSinceMs: number | undefined;
  /** Where the partition's time stood when records were last read, and when that was by our own clock. */
  #base: { micros: number; monotonicMs: number };
  #lastFlushMs = 0;
  #flushed = { offset: -1, micros: -1 };

  constructor(parts: ClaimParts, deps: OwnerDependencies, checkpointer: Checkpointer) {
    this.transactions = parts.transactions;
    this.fold = parts.fold;
    this.history = parts.history;
    this.position = parts.position;
    this.limits = parts.history.inForce;
    this.#deps = deps;
    this.#checkpointer = checkpointer;
    const { schemas, topic, partition } = deps;
    this.folder = new RecordFolder({ fold: parts.fold, schemas, topic, partition });
    this.#base = { micros: 0, monotonicMs: 0 };
  }

  /** The state is that of `position`: from here on what is decided goes out. */
  goLive(): void {
    this.folder.goLive();
    this.#base = { micros: this.fold.timeMicros, monotonicMs: this.#deps.clock.nowMs() };
  }

  /**
   * Folds a fetched batch and commits it, or leaves it to the next commit where nothing goes out. A batch that
   * came compressed may be many transactions long. Where it was not folded to its end, `position` says how far;
   * the id of a schema that must be fetched before the fold can go on there is returned.
   */
  async foldBatch(batch: FetchedBatch): Promise<number | undefined> {
    const { records } = batch;
    const { recordsPerCommit = RECORDS_PER_COMMIT } = this.#deps;
    for (let from = 0; ; from += recordsPerCommit) {
      const to = from + recordsPerCommit;
      const isLast = to >= records.length;
      const part = isLast ? records.slice(from) : records.slice(from, to);
      const missingSchema = await this.#foldPart(part, isLast ? batch.end : records.offset(to));
      if (missingSchema !== undefined || isLast) return missingSchema;
      try {
        await batch.heartbeat();
      } catch {
        // The group rebalances: what is left is fetched again, here or elsewhere.
        return undefined;
      }
    }
  }

  async #foldPart(records: RawRecords, end: number): Promise<number | undefined> {
    const { clock, observer, partition } = this.#deps;
    const startedMs = clock.nowMs();
    const { folded, missingSchema } = this.folder.foldAll(records, this.history.inForce);
    if (folded > 0) this.history.recordRead(this.position, appendTimeMicros(records.appendMs(0)));
    this.position = missingSchema === undefined ? end : records.offset(folded);
    const nowMs = clock.nowMs();
    this.#base = { micros: this.fold.timeMicros, monotonicMs: nowMs };
    this.#pendingSinceMs ??= nowMs;
    observer.folded(partition, folded, (nowMs - startedMs) / 1000);
    if (this.folder.outputCount > 0 || nowMs - this.#pendingSinceMs >= COMMIT_WITHIN_MS) await this.commit();
    this.#flushIfDue();
    return missingSchema;
  }

  /** The offset moves over records that nobody is shown (control records, aborted ones). */
  skipTo(offset: number): void {
    if (offset <= this.position) return;
    this.position = offset;
    this.#pendingSinceMs ??= this.#deps.clock.nowMs();
  }

  /** Makes the configured limits the ones in force, at the offset reached: a commit of its own. */
  async applyLimits(): Promise<void> {
    const limits = this.#deps.limits();
    const before = this.history.inForce;
    if (sameLimits(before, limits)) return;
    if (!limits.alertThrottling) this.folder.throttlingOff();
    this.history.changeLimits(this.position, limits, this.fold.timeMicros);
    await this.commit();
    // Neither offset nor time moved, but the checkpoint is another one.
    this.#flushed = { offset: -1, micros: -1 };
    const { logger, partition } = this.#deps;
    logger.info(
      { partition, offset: this.position, limits },
      'other limits are in force from this offset on',
    );
  }

  /** Pending commits, idle time, flushes; called a few times a second. */
  async tick(): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    if (this.#pendingSinceMs !== undefined && nowMs - this.#pendingSinceMs >= COMMIT_WITHIN_MS) {
      await this.commit();
    }
    await this.#passIdleTime();
    this.#flushIfDue();
  }

  /** Commits what is pending and flushes it, so that the next owner folds nothing. */
  async finish(): Promise<void> {
    if (this.#pendingSinceMs !== undefined) await this.commit();
    await this.#checkpointer.settle();
    await this.#flush();
  }

  /** The one commit path: outputs, offset and metadata in one transaction. */
  async commit(announcements: readonly OutputRecord[] = []): Promise<void> {
    const { clock, observer, partition } = this.#deps;
    const startedMs = clock.nowMs();
    const { outputs, counts } = this.folder.takeOutputs();
    const position = { offset: this.position, metadata: this.#metadata() };
    await this.transactions.commit([...announcements, ...outputs], position);
    this.committed = position;
    this.limits = this.history.inForce;
    this.#pendingSinceMs = undefined;
    observer.committed(partition, counts, (clock.nowMs() - startedMs) / 1000);
  }

  /**
   * An idle partition's time goes on by our own clock: over the due times that have passed, and a little on the
   * way there. Only where the log holds nothing that was not read; what is committed is never taken back.
   */
  async #passIdleTime(): Promise<void> {
    const due = this.fold.nextDueMicros;
    if (due === undefined) return;
    const idleMicros = Math.floor((this.#deps.clock.nowMs() - this.#base.monotonicMs) * 1000);
    const to = this.#base.micros + idleMicros - IDLE_LATE_MICROS;
    if (to < due && to < this.fold.timeMicros + IDLE_COMMIT_EVERY_MICROS) return;
    if ((await this.#logEnd()) !== this.position) return;
    this.folder.advance(to);
    this.history.timeAdvanced(this.position, this.fold.timeMicros);
    await this.commit();
  }

  /** Undefined where Kafka does not say: there is no hurry. */
  async #logEnd(): Promise<number | undefined> {
    const { facts, partition, logger } = this.#deps;
    try {
      return (await facts.bounds(partition)).end;
    } catch (error) {
      logger.debug({ partition, err: error }, 'the end of the log could not be read');
      return undefined;
    }
  }

  #metadata(): string {
    const { limits, idle, pruned } = this.history;
    const digest = this.fold.digest();
    return formatOffsetMetadata({ v: FOLD_VERSION, limits, idle, pruned, digest, at: this.fold.timeMicros });
  }

  #flushIfDue(): void {
    if (this.#pendingSinceMs !== undefined || this.#checkpointer.busy) return;
    const sinceMs = this.#deps.clock.nowMs() - this.#lastFlushMs;
    if (sinceMs < (this.#checkpointer.degraded ? RETRY_FLUSH_MS : FLUSH_EVERY_MS)) return;
    const changed = this.#flushed.offset !== this.position || this.#flushed.micros !== this.fold.timeMicros;
    if (changed || this.#checkpointer.mustReplace || sinceMs >= REFRESH_EVERY_MS) void this.#flush();
  }

  async #flush(): Promise<void> {
    const { observer, partition, clock } = this.#deps;
    this.#lastFlushMs = clock.nowMs();
    this.#flushed = { offset: this.position, micros: this.fold.timeMicros };
    observer.windows(partition, this.fold.windowCount, this.fold.openCount);
    await this.#checkpointer.flush(this.fold, {
      offset: this.position,
      digest: this.fold.digest(),
      limits: JSON.stringify(this.history.inForce),
    });
  }
}
