// One partition of the raw topic, from its assignment to its loss:
//
//   claiming ──▶ rebuilding ──▶ live ──▶ stopped
//      ▲             │           │
//      └── any error ┴───────────┘  (the producer is discarded, the state dropped, everything read again)
//
// All work on the state runs one after the other (`#serial`); only the commit path moves the committed offset.

import { setTimeout as sleep } from 'node:timers/promises';

import { makeAlert } from '@alert-throttle/alert';
import {
  appendTimeMicros,
  FOLD_VERSION,
  formatMicros,
  formatOffsetMetadata,
  isOwnVersion,
  type Limits,
  limitsVersion,
  type OffsetMetadata,
  parseOffsetMetadata,
  PartitionFold,
  sameLimits,
} from '@alert-throttle/throttle';
import type { Logger } from '@alert-throttle/observability';

import { Checkpointer } from './checkpointer.ts';
import { type ClaimPlan, planClaim, type RefusalCode, type StartFrom } from './core/claim-plan.ts';
import { History } from './core/history.ts';
import { Rebuild } from './core/rebuild.ts';
import { type FoldCounts, RecordFolder } from './core/record-folder.ts';
import type { SchemaDirectory } from './adapters/schema-directory.ts';
import type {
  CheckpointStore,
  CommittedOffset,
  FetchControl,
  LogFacts,
  MonotonicClock,
  OutputRecord,
  PartitionTransactions,
  RawRecord,
} from './ports.ts';

/** A batch without output rides in the next transaction, at the latest after this. */
const COMMIT_WITHIN_MS = 1000;
/** How often what changed goes to Redis. */
const FLUSH_EVERY_MS = 1000;
/** An idle partition's time is advanced a second late rather than early. */
const IDLE_LATE_MICROS = 1_000_000;
/** How often idle time passed so far is committed while an interval is open, so that a restart goes on from it. */
const IDLE_COMMIT_EVERY_MICROS = 5_000_000;
/** After an error or a fence: a random pause of up to this before the partition is claimed again. */
const RECLAIM_PAUSE_MS = 1000;
const PROGRESS_EVERY_MS = 5000;

export interface FetchedBatch {
  readonly records: readonly RawRecord[];
  /** The offset that the fetch asked for. */
  readonly fetchedOffset: number;
  /** The offset after the batch, control records included. */
  readonly end: number;
  readonly highWatermark: number;
}

/** Told what was committed; see metrics.ts. */
export interface OwnerObserver {
  claimed(partition: number, how: string): void;
  committed(partition: number, counts: FoldCounts, seconds: number): void;
  folded(partition: number, records: number, seconds: number): void;
  position(partition: number, lagRecords: number, lastAppendMs: number): void;
  windows(partition: number, windows: number, throttled: number): void;
  rebuilding(partition: number, recordsLeft: number): void;
  digestMismatch(partition: number): void;
  degraded(partition: number, degraded: boolean): void;
  flushed(partition: number, windows: number): void;
  reclaimed(partition: number): void;
}

export interface OwnerDependencies {
  readonly partition: number;
  readonly topic: string;
  readonly startFrom: StartFrom | undefined;
  readonly facts: LogFacts;
  readonly control: FetchControl;
  readonly schemas: SchemaDirectory;
  readonly store: CheckpointStore;
  readonly transactions: () => PartitionTransactions;
  readonly limits: () => Limits;
  readonly clock: MonotonicClock;
  readonly logger: Logger;
  readonly observer: OwnerObserver;
  /** A claim that no waiting sets right: the process ends with this message. */
  readonly onRefused: (code: RefusalCode, message: string) => void;
}

export interface OwnerStatus {
  readonly partition: number;
  readonly phase: Phase;
  readonly position: number;
  readonly limitsVersion: string | undefined;
  readonly recordsLeft: number;
  readonly problem: string | undefined;
}

type Phase = 'claiming' | 'rebuilding' | 'live' | 'stopped';

/** All that belongs to one claim; dropped as a whole when the claim is lost. */
interface Claim {
  readonly transactions: PartitionTransactions;
  readonly fold: PartitionFold;
  readonly folder: RecordFolder;
  readonly history: History;
  /** What the rebuilt state must be like; undefined where it began empty. */
  expected: { digest: string; atMicros: number } | undefined;
  rebuild: Rebuild | undefined;
  /** Offset of the next record to fold. */
  position: number;
  /** Offset that is committed; the state is the committed one when both are equal and nothing is pending. */
  committed: number;
  pendingSinceMs: number | undefined;
  /** Where the partition's time stood when records were last read, and when that was by our own clock. */
  base: { micros: number; monotonicMs: number };
  lastFlushMs: number;
  flushed: { offset: number; micros: number };
  fromLogStart: boolean;
}

/** Something that a claim must wait for; it is tried again. */
class ClaimDelayed extends Error {}

export class PartitionOwner {
  readonly #deps: OwnerDependencies;
  readonly #log: Logger;
  readonly #checkpointer: Checkpointer;
  readonly #stopped = new AbortController();
  #phase: Phase = 'claiming';
  #claim: Claim | undefined;
  #queue: Promise<void> = Promise.resolve();
  #problem: string | undefined;
  #lastProgressMs = 0;
  #highWatermark = 0;
  #discardCheckpoint = false;
  /** The last offset that this process committed, in case kafkajs reset the group's own. */
  #lastCommitted: CommittedOffset | undefined;

  constructor(deps: OwnerDependencies) {
    this.#deps = deps;
    this.#log = deps.logger.child({ partition: deps.partition });
    this.#checkpointer = new Checkpointer({
      store: deps.store,
      partition: deps.partition,
      logger: this.#log,
      onDegraded: (degraded) => deps.observer.degraded(deps.partition, degraded),
      onFlushed: (windows) => deps.observer.flushed(deps.partition, windows),
    });
  }

  /** Claims the partition now and after every loss, until `stop` or `drop`. */
  start(): void {
    void this.#claimUntilDone(0);
  }

  status(): OwnerStatus {
    const claim = this.#claim;
    return {
      partition: this.#deps.partition,
      phase: this.#phase,
      position: claim?.rebuild?.position ?? claim?.position ?? 0,
      limitsVersion:
        this.#phase === 'live' && claim !== undefined ? limitsVersion(claim.history.inForce) : undefined,
      recordsLeft: claim?.rebuild === undefined ? 0 : claim.rebuild.target - claim.rebuild.position,
      problem: this.#problem,
    };
  }

  /** After a rebalance that left the partition here: kafkajs has forgotten where it was. */
  refetch(): void {
    const claim = this.#claim;
    if (claim === undefined || this.#phase === 'claiming') return;
    this.#deps.control.seekAndResume(this.#deps.partition, claim.rebuild?.position ?? claim.position);
  }

  /** One fetched batch. Never rejects: what fails here costs the claim, not the consumer. */
  async onBatch(batch: FetchedBatch): Promise<void> {
    await this.#serial(async (claim) => {
      this.#highWatermark = batch.highWatermark;
      const expected = claim.rebuild?.position ?? claim.position;
      if (batch.fetchedOffset !== expected) {
        if (batch.fetchedOffset > expected) await this.#checkLogStart(expected);
        this.#deps.control.seekAndResume(this.#deps.partition, expected);
        return;
      }
      await (claim.rebuild === undefined
        ? this.#foldLive(claim, batch)
        : this.#foldRebuild(claim, claim.rebuild, batch));
    });
  }

  /** A fetch that held only control records or aborted ones: the position moves, nothing is folded. */
  async onSkipped(end: number): Promise<void> {
    await this.#serial(async (claim) => {
      if (claim.rebuild !== undefined) {
        claim.rebuild.fold([], end);
        if (claim.rebuild.done) await this.#goLive(claim, claim.rebuild);
      } else if (end > claim.position) {
        claim.position = end;
        claim.pendingSinceMs ??= this.#deps.clock.nowMs();
      }
    });
  }

  /** Makes the configured limits the ones in force here, at the offset reached. */
  async applyLimits(): Promise<void> {
    await this.#serial(async (claim) => {
      if (this.#phase === 'live') await this.#changeLimits(claim);
    });
  }

  /** Called a few times a second: pending commits, idle time, flushes. */
  async tick(): Promise<void> {
    await this.#serial(async (claim) => {
      if (this.#phase !== 'live') return;
      const nowMs = this.#deps.clock.nowMs();
      if (claim.pendingSinceMs !== undefined && nowMs - claim.pendingSinceMs >= COMMIT_WITHIN_MS) {
        await this.#commit(claim);
      }
      await this.#passIdleTime(claim, nowMs);
      this.#flushIfDue(claim, nowMs);
    });
  }

  /** The partition is another member's now: nothing is committed or written any more. */
  async drop(): Promise<void> {
    this.#phase = 'stopped';
    this.#stopped.abort();
    const claim = this.#claim;
    this.#claim = undefined;
    await claim?.transactions.close().catch(() => undefined);
  }

  /** Commits what is pending and flushes, so that the next owner folds nothing. */
  async stop(): Promise<void> {
    await this.#serial(async (claim) => {
      if (this.#phase !== 'live') return;
      if (claim.pendingSinceMs !== undefined) await this.#commit(claim);
      await this.#checkpointer.settle();
      await this.#flush(claim, this.#deps.clock.nowMs());
    });
    await this.drop();
  }

  /** Runs `work` after all earlier work, if the claim still stands then; an error in it loses the claim. */
  #serial(work: (claim: Claim) => Promise<void>): Promise<void> {
    const run = this.#queue.then(async () => {
      const claim = this.#claim;
      if (claim === undefined) return;
      try {
        await work(claim);
      } catch (error) {
        this.#loseClaim(claim, error);
      }
    });
    this.#queue = run;
    return run;
  }

  #loseClaim(claim: Claim, error: unknown): void {
    if (this.#claim !== claim) return;
    this.#log.warn({ err: error }, 'the claim on this partition is lost; claiming it again');
    this.#claim = undefined;
    this.#phase = 'claiming';
    this.#deps.observer.reclaimed(this.#deps.partition);
    this.#deps.control.pause(this.#deps.partition);
    void claim.transactions.close().catch(() => undefined);
    void this.#claimUntilDone(Math.random() * RECLAIM_PAUSE_MS);
  }

  async #claimUntilDone(pauseMs: number): Promise<void> {
    const signal = this.#stopped.signal;
    let waitMs = pauseMs;
    for (;;) {
      try {
        await sleep(waitMs, undefined, { signal });
      } catch {
        return;
      }
      try {
        await this.#checkpointer.settle();
        await this.#claimOnce();
        return;
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        const fresh = problem !== this.#problem;
        this.#problem = problem;
        if (!(error instanceof ClaimDelayed)) this.#log.warn({ err: error }, 'claiming failed; trying again');
        else if (fresh) this.#log.error(problem);
        waitMs = 500 + Math.random() * RECLAIM_PAUSE_MS;
      }
    }
  }

  async #claimOnce(): Promise<void> {
    const { facts, partition, transactions: makeTransactions } = this.#deps;
    const problems = await facts.topicProblems();
    if (problems.length > 0) throw new ClaimDelayed(problems.join('\n'));
    const transactions = makeTransactions();
    try {
      await transactions.fence();
      const plan = planClaim({
        // The last commit of this very process counts where kafkajs reset the group's offset on its own.
        committed: (await facts.committed(partition)) ?? this.#lastCommitted,
        bounds: await facts.bounds(partition),
        startFrom: this.#deps.startFrom,
        groupHasCommits: await facts.groupHasCommits(),
        throttledTopicIsEmpty: await facts.throttledTopicIsEmpty(),
      });
      this.#ensureWanted();
      await this.#carryOut(plan, transactions);
    } catch (error) {
      this.#claim = undefined;
      await transactions.close().catch(() => undefined);
      throw error;
    }
  }

  async #carryOut(plan: ClaimPlan, transactions: PartitionTransactions): Promise<void> {
    switch (plan.kind) {
      case 'refuse':
        this.#deps.onRefused(plan.code, `${this.#deps.topic}/${this.#deps.partition}: ${plan.message}`);
        throw new ClaimDelayed(plan.message);
      case 'first':
        await this.#claimFresh(transactions, plan.offset);
        return;
      case 'gap':
      case 'resume':
        await this.#resume(plan, transactions);
        return;
    }
  }

  /** Nothing is known before `offset`: commit it with the limits, then fold from there. */
  async #claimFresh(transactions: PartitionTransactions, offset: number): Promise<void> {
    this.#checkpointer.adopt(undefined);
    const history = History.begin(offset, this.#deps.limits());
    await this.#begin(this.#makeClaim(transactions, new PartitionFold(), history, offset), 'first');
  }

  async #resume(
    plan: Extract<ClaimPlan, { kind: 'gap' | 'resume' }>,
    transactions: PartitionTransactions,
  ): Promise<void> {
    const target = plan.committed.offset;
    const metadata = this.#parseMetadata(plan.committed);
    if (metadata === undefined) {
      await this.#claimFresh(transactions, plan.kind === 'gap' ? plan.to : target);
      return;
    }
    const history = History.of(metadata);
    const logStart =
      plan.kind === 'gap' ? plan.to : (await this.#deps.facts.bounds(this.#deps.partition)).start;
    const loaded = this.#discardCheckpoint ? undefined : await this.#checkpointer.load();
    const usable =
      loaded !== undefined &&
      loaded.offset <= target &&
      (loaded.offset >= logStart || loaded.offset === target)
        ? loaded
        : undefined;
    this.#checkpointer.adopt(usable?.token);
    const fold = usable?.fold ?? new PartitionFold();
    if (plan.kind === 'gap') {
      // What the log no longer holds cannot be folded: the windows survive only in a checkpoint of that offset.
      const intact = usable?.offset === target;
      if (!intact) this.#checkpointer.adopt(undefined);
      const claim = this.#makeClaim(
        transactions,
        intact ? fold : new PartitionFold(),
        intact ? history : History.begin(plan.to, history.inForce),
        plan.to,
      );
      claim.folder.advance(metadata.at);
      await this.#begin(claim, 'gap', [this.#gapRecord(target, plan.to, metadata.at)]);
      return;
    }
    const from = usable?.offset ?? Math.min(Math.max(logStart, history.begins), target);
    const claim = this.#makeClaim(transactions, fold, history, target);
    // The state of another version of the fold is another state: nothing to compare with.
    if (isOwnVersion(metadata)) claim.expected = { digest: metadata.digest, atMicros: metadata.at };
    claim.fromLogStart = usable === undefined;
    const rebuild = new Rebuild(claim.folder, history, from, target);
    claim.rebuild = rebuild;
    this.#claim = claim;
    this.#phase = 'rebuilding';
    if (target > from) {
      this.#log.info({ from, to: target, checkpoint: usable?.offset ?? null }, 'rebuilding the state');
    }
    if (rebuild.done) {
      await this.#serial(() => this.#goLive(claim, rebuild));
    } else {
      this.#deps.control.seekAndResume(this.#deps.partition, from);
    }
  }

  /** The first commit of a partition whose state needs no rebuilding. */
  async #begin(claim: Claim, how: string, outputs: readonly OutputRecord[] = []): Promise<void> {
    this.#claim = claim;
    claim.folder.goLive();
    await this.#commit(claim, outputs);
    this.#nowLive(claim, how);
    await this.#serial((current) => this.#changeLimits(current));
  }

  #makeClaim(
    transactions: PartitionTransactions,
    fold: PartitionFold,
    history: History,
    position: number,
  ): Claim {
    this.#ensureWanted();
    const { partition, topic, schemas, clock } = this.#deps;
    return {
      transactions,
      fold,
      folder: new RecordFolder({ fold, schemas, topic, partition }),
      history,
      expected: undefined,
      rebuild: undefined,
      position,
      committed: position,
      pendingSinceMs: undefined,
      base: { micros: fold.timeMicros, monotonicMs: clock.nowMs() },
      lastFlushMs: 0,
      flushed: { offset: -1, micros: -1 },
      fromLogStart: false,
    };
  }

  async #foldRebuild(claim: Claim, rebuild: Rebuild, batch: FetchedBatch): Promise<void> {
    const missingSchema = rebuild.fold(batch.records, batch.end);
    claim.folder.takeOutputs();
    const left = rebuild.target - rebuild.position;
    this.#deps.observer.rebuilding(this.#deps.partition, left);
    const nowMs = this.#deps.clock.nowMs();
    if (left > 0 && nowMs - this.#lastProgressMs >= PROGRESS_EVERY_MS) {
      this.#lastProgressMs = nowMs;
      this.#log.info({ position: rebuild.position, recordsLeft: left }, 'rebuilding the state');
    }
    if (missingSchema !== undefined) this.#waitForSchema(claim, missingSchema, rebuild.position);
    else if (rebuild.done) await this.#goLive(claim, rebuild);
  }

  /** The fold has reached the committed offset: checks that nothing moved meanwhile, and that the state fits. */
  async #goLive(claim: Claim, rebuild: Rebuild): Promise<void> {
    rebuild.finish();
    claim.rebuild = undefined;
    const { expected, fold } = claim;
    const now = await this.#deps.facts.committed(this.#deps.partition);
    if (now !== undefined && now.offset !== claim.committed) {
      throw new ClaimDelayed(`the committed offset moved from ${claim.committed} to ${now.offset}`);
    }
    if (
      expected !== undefined &&
      (expected.digest !== fold.digest() || expected.atMicros !== fold.timeMicros)
    ) {
      this.#digestDiffers(claim, expected);
    }
    this.#discardCheckpoint = false;
    claim.folder.goLive();
    this.#nowLive(claim, claim.fromLogStart ? 'log' : 'checkpoint');
    await this.#changeLimits(claim);
  }

  /** The digest is an alarm, not a gate: what the log itself gives twice is gone on with. */
  #digestDiffers(claim: Claim, expected: { digest: string; atMicros: number }): void {
    this.#deps.observer.digestMismatch(this.#deps.partition);
    if (!claim.fromLogStart) {
      this.#discardCheckpoint = true;
      throw new ClaimDelayed('the rebuilt state does not fit its digest: folding from the start of the log');
    }
    const found = { digest: claim.fold.digest(), atMicros: claim.fold.timeMicros };
    this.#log.error(
      { expected, found },
      'the state rebuilt from the start of the log does not fit its digest either; going on with it',
    );
    this.#checkpointer.adopt(undefined);
    claim.folder.advance(expected.atMicros);
  }

  #ensureWanted(): void {
    if (this.#stopped.signal.aborted) throw new ClaimDelayed('the partition is not ours any more');
  }

  #nowLive(claim: Claim, how: string): void {
    this.#ensureWanted();
    this.#phase = 'live';
    this.#problem = undefined;
    claim.base = { micros: claim.fold.timeMicros, monotonicMs: this.#deps.clock.nowMs() };
    this.#log.info({ position: claim.position, how }, 'partition claimed');
    this.#deps.observer.rebuilding(this.#deps.partition, 0);
    this.#deps.observer.claimed(this.#deps.partition, how);
    this.#deps.control.seekAndResume(this.#deps.partition, claim.position);
  }

  async #foldLive(claim: Claim, batch: FetchedBatch): Promise<void> {
    const startedMs = this.#deps.clock.nowMs();
    const first = batch.records[0];
    if (first !== undefined) claim.history.recordRead(appendTimeMicros(first.appendMs));
    const { folded, missingSchema } = claim.folder.foldAll(batch.records, claim.history.inForce);
    claim.position =
      missingSchema === undefined ? batch.end : (batch.records[folded]?.offset ?? claim.position);
    const nowMs = this.#deps.clock.nowMs();
    claim.pendingSinceMs ??= nowMs;
    claim.base = { micros: claim.fold.timeMicros, monotonicMs: nowMs };
    this.#deps.observer.folded(this.#deps.partition, folded, (nowMs - startedMs) / 1000);
    if (claim.folder.outputCount > 0 || nowMs - claim.pendingSinceMs >= COMMIT_WITHIN_MS) {
      await this.#commit(claim);
    }
    const lagRecords = Math.max(0, this.#highWatermark - claim.position);
    this.#deps.observer.position(
      this.#deps.partition,
      lagRecords,
      batch.records[Math.max(0, folded - 1)]?.appendMs ?? 0,
    );
    if (missingSchema !== undefined) this.#waitForSchema(claim, missingSchema, claim.position);
    this.#flushIfDue(claim, this.#deps.clock.nowMs());
  }

  /** Stops fetching in front of a record whose schema is not known yet, and goes on when it is. */
  #waitForSchema(claim: Claim, schemaId: number, offset: number): void {
    const { control, partition, schemas } = this.#deps;
    control.pause(partition);
    schemas.resolve(schemaId, this.#stopped.signal).then(
      () => {
        if (this.#claim === claim) control.seekAndResume(partition, offset);
      },
      (error: unknown) => {
        if (!this.#stopped.signal.aborted) this.#loseClaim(claim, error);
      },
    );
  }

  async #changeLimits(claim: Claim): Promise<void> {
    const limits = this.#deps.limits();
    const before = claim.history.inForce;
    if (sameLimits(before, limits)) return;
    if (!limits.alertThrottling) claim.folder.throttlingOff();
    claim.history.changeLimits(claim.position, limits, claim.fold.timeMicros);
    await this.#commit(claim);
    this.#log.info({ offset: claim.position, limits, before }, 'limits in force');
  }

  /**
   * An idle partition's time goes on by our own clock: to the due times that have passed, and a little on the
   * way there. Only where the log holds nothing that was not read; what is committed is never taken back.
   */
  async #passIdleTime(claim: Claim, nowMs: number): Promise<void> {
    const due = claim.fold.nextDueMicros;
    if (due === undefined) return;
    const to = claim.base.micros + Math.floor((nowMs - claim.base.monotonicMs) * 1000) - IDLE_LATE_MICROS;
    if (to < due && to < claim.fold.timeMicros + IDLE_COMMIT_EVERY_MICROS) return;
    const bounds = await this.#deps.facts.bounds(this.#deps.partition);
    this.#highWatermark = bounds.end;
    if (bounds.end !== claim.position) return;
    claim.folder.advance(to);
    claim.history.timeAdvanced(claim.position, claim.fold.timeMicros);
    await this.#commit(claim);
  }

  /** The one commit path. */
  async #commit(claim: Claim, extra: readonly OutputRecord[] = []): Promise<void> {
    const startedMs = this.#deps.clock.nowMs();
    const { outputs, counts } = claim.folder.takeOutputs();
    const metadata = this.#formatMetadata(claim);
    const position = { offset: claim.position, metadata };
    await claim.transactions.commit(extra.length === 0 ? outputs : [...extra, ...outputs], position);
    claim.committed = claim.position;
    claim.pendingSinceMs = undefined;
    this.#lastCommitted = position;
    const nowMs = this.#deps.clock.nowMs();
    this.#deps.observer.committed(this.#deps.partition, counts, (nowMs - startedMs) / 1000);
  }

  #formatMetadata(claim: Claim): string {
    return formatOffsetMetadata({
      v: FOLD_VERSION,
      limits: claim.history.limits,
      idle: claim.history.idle,
      digest: claim.fold.digest(),
      at: claim.fold.timeMicros,
      pruned: claim.history.pruned,
    });
  }

  #parseMetadata(committed: CommittedOffset): OffsetMetadata | undefined {
    try {
      return parseOffsetMetadata(committed.metadata);
    } catch (error) {
      this.#log.warn(
        { offset: committed.offset, err: error },
        'the committed offset carries no metadata of a throttler (was it set by hand?); going on from it with the configured limits',
      );
      return undefined;
    }
  }

  #flushIfDue(claim: Claim, nowMs: number): void {
    if (claim.pendingSinceMs !== undefined || this.#checkpointer.busy) return;
    if (nowMs - claim.lastFlushMs < FLUSH_EVERY_MS) return;
    const { offset, micros } = claim.flushed;
    const changed = offset !== claim.committed || micros !== claim.fold.timeMicros;
    if (changed || this.#checkpointer.mustReplace) void this.#flush(claim, nowMs);
  }

  async #flush(claim: Claim, nowMs: number): Promise<void> {
    claim.lastFlushMs = nowMs;
    claim.flushed = { offset: claim.committed, micros: claim.fold.timeMicros };
    this.#deps.observer.windows(this.#deps.partition, claim.fold.windowCount, claim.fold.openCount);
    await this.#checkpointer.flush(claim.fold, {
      offset: claim.committed,
      digest: claim.fold.digest(),
      limits: JSON.stringify(claim.history.inForce),
    });
  }

  /** kafkajs fetched from beyond where we asked: records may be gone. The claim table decides. */
  async #checkLogStart(expected: number): Promise<void> {
    const { start } = await this.#deps.facts.bounds(this.#deps.partition);
    if (start > expected) throw new ClaimDelayed(`retention deleted records ${expected} to ${start - 1}`);
  }

  #gapRecord(from: number, to: number, micros: number): OutputRecord {
    const { partition, topic, schemas } = this.#deps;
    this.#log.error(
      { from, to },
      'retention deleted records before they were decided; announced as AlertsLost',
    );
    const alert = makeAlert({
      Type: 'SystemEvent',
      Operation: 'AlertsLost',
      EventTimeMicros: micros,
      UpdatedTime: formatMicros(micros),
      Lost: {
        LostAlerts: to - from,
        First: from,
        Last: to - 1,
        Counter: 'offset',
        Reason: `retention of ${topic}/${partition} deleted them before they were decided`,
      },
    });
    return {
      topic: 'throttled',
      key: Buffer.from(`partition:${partition}`),
      value: schemas.encode(alert),
      headers: undefined,
      timestampMs: Math.floor(micros / 1000),
    };
  }
}
