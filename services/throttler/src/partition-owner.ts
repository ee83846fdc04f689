// One partition of the raw topic, from its assignment to its loss:
//
//   claiming ──▶ rebuilding ──▶ live ──▶ stopped
//      ▲             │           │
//      └── any error ┴───────────┘  (the producer is discarded, the state dropped, everything read again)
//
// All work on the state runs one after the other (`#serial`), and only while the claim that it began with stands.

import { limitsVersion } from '@alert-throttle/throttle';
import type { Logger } from '@alert-throttle/observability';

import { Checkpointer } from './checkpointer.ts';
import { type Claim, RECORDS_PER_COMMIT } from './claim.ts';
import { Claimant, ClaimDelayed, type Claimed } from './claimant.ts';
import type { OwnerDependencies } from './owner-dependencies.ts';
import type { CommittedOffset, FetchedBatch } from './ports.ts';
import { WaitingBatches } from './waiting-batches.ts';

/** After an error or a fence: a random pause of up to this before the partition is claimed again. */
const RECLAIM_PAUSE_MS = 1000;
const PROGRESS_EVERY_MS = 5000;
/** Garbage may hold any number of schema ids; the registry is asked for so many of them at a time. */
const SCHEMAS_AT_ONCE = 50;

export interface OwnerStatus {
  readonly partition: number;
  readonly phase: 'claiming' | 'rebuilding' | 'live' | 'stopped';
  readonly position: number;
  /** Of the limits in force; undefined while not live. */
  readonly limitsVersion: string | undefined;
  readonly recordsLeft: number;
  /** Estimated; undefined while nothing is rebuilt. */
  readonly secondsLeft: number | undefined;
  /** Why the partition is not claimed yet. */
  readonly problem: string | undefined;
}

type Rebuilding = Extract<Claimed, { kind: 'rebuild' }> & { readonly startedMs: number };

/** What stands at present: a claim, and how its state is rebuilt while that is not done. */
interface Standing {
  readonly claim: Claim;
  rebuilding: Rebuilding | undefined;
}

export class PartitionOwner {
  readonly #deps: OwnerDependencies;
  readonly #log: Logger;
  readonly #checkpointer: Checkpointer;
  readonly #claimant: Claimant;
  readonly #stopped = new AbortController();
  #standing: Standing | undefined;
  #queue: Promise<void> = Promise.resolve();
  readonly #waiting = new WaitingBatches(RECORDS_PER_COMMIT);
  #tickQueued = false;
  #problem: string | undefined;
  #lastProgressMs = 0;
  #highWatermark = 0;
  #fromLog = false;
  #lastCommitted: CommittedOffset | undefined;

  constructor(deps: OwnerDependencies) {
    const { partition, observer } = deps;
    this.#deps = deps;
    this.#log = deps.logger.child({ partition });
    this.#checkpointer = new Checkpointer({
      store: deps.store,
      partition,
      logger: this.#log,
      onDegraded: (degraded) => observer.degraded(partition, degraded),
      onFlushed: (windows) => observer.flushed(partition, windows),
    });
    this.#claimant = new Claimant(deps, this.#checkpointer, this.#log);
  }

  /** Claims the partition now and after every loss, until `stop` or `drop`. */
  start(): void {
    void this.#claimUntilDone();
  }

  status(): OwnerStatus {
    const { claim, rebuilding } = this.#standing ?? {};
    const stopped = this.#stopped.signal.aborted;
    const phase = claim === undefined ? 'claiming' : rebuilding === undefined ? 'live' : 'rebuilding';
    return {
      partition: this.#deps.partition,
      phase: stopped ? 'stopped' : phase,
      position: rebuilding?.rebuild.position ?? claim?.position ?? 0,
      limitsVersion: phase === 'live' && claim ? limitsVersion(claim.limits) : undefined,
      recordsLeft: rebuilding === undefined ? 0 : rebuilding.rebuild.target - rebuilding.rebuild.position,
      secondsLeft: rebuilding && secondsLeft(rebuilding, this.#deps.clock.nowMs()),
      problem: this.#problem,
    };
  }

  /** After a rebalance that left the partition here: kafkajs has forgotten where it was. */
  refetch(): void {
    this.#waiting.clear();
    if (this.#standing === undefined) return;
    this.#deps.control.seekAndResume(this.#deps.partition, this.status().position);
  }

  /**
   * One fetched batch. Returns before it is decided, so that the next fetch is under way meanwhile; only where as
   * much waits as a transaction may hold, it returns after that. Never rejects: what fails here costs the
   * claim, not the consumer.
   */
  async onBatch(batch: FetchedBatch): Promise<void> {
    if (this.#standing === undefined) return;
    this.#waiting.push(batch);
    const decided = this.#serial(async (standing) => {
      const next = this.#waiting.take(batch);
      if (next !== undefined) await this.#fold(standing, next);
    });
    if (this.#waiting.full) await decided;
  }

  async #fold(standing: Standing, batch: FetchedBatch): Promise<void> {
    this.#highWatermark = batch.highWatermark;
    const expected = this.status().position;
    if (batch.fetchedOffset === expected) {
      await (standing.rebuilding === undefined
        ? this.#foldLive(standing.claim, batch)
        : this.#foldRebuild(standing, standing.rebuilding, batch));
      return;
    }
    await this.#checkBounds(expected);
    this.refetch();
  }

  /** A fetch that held only control records or aborted ones: the position moves, nothing is folded. */
  async onSkipped(start: number, end: number): Promise<void> {
    await this.#serial(async (standing) => {
      const expected = this.status().position;
      if (start > expected) {
        await this.#checkBounds(expected);
        this.refetch();
      } else if (standing.rebuilding === undefined) {
        standing.claim.skipTo(end);
      } else {
        standing.rebuilding.rebuild.skipTo(end);
        if (standing.rebuilding.rebuild.done) await this.#goLive(standing, standing.rebuilding);
      }
    });
  }

  /** The log's end as it is now, for the lag. */
  noteEnd(end: number): void {
    this.#highWatermark = end;
    const lag = Math.max(0, end - this.status().position);
    this.#deps.observer.position(this.#deps.partition, lag, 0);
  }

  /** Makes the configured limits the ones in force here, at the offset reached. */
  async applyLimits(): Promise<void> {
    await this.#serial(async ({ claim, rebuilding }) => {
      if (rebuilding === undefined) await claim.applyLimits();
    });
  }

  /** Called a few times a second. */
  async tick(): Promise<void> {
    if (this.#tickQueued) return;
    this.#tickQueued = true;
    await this.#serial(async ({ claim, rebuilding }) => {
      if (rebuilding === undefined) await claim.tick();
    });
    this.#tickQueued = false;
  }

  /** The partition is another member's now: nothing is committed or written any more. */
  async drop(): Promise<void> {
    this.#stopped.abort();
    const standing = this.#standing;
    this.#standing = undefined;
    await standing?.claim.transactions.close().catch(() => undefined);
  }

  /** Commits what is pending and flushes, so that the next owner folds nothing. */
  async stop(): Promise<void> {
    await this.#serial(async ({ claim, rebuilding }) => {
      if (rebuilding === undefined) await claim.finish();
    });
    await this.drop();
  }

  /** Runs `work` after all earlier work, if there is a claim then; an error in it loses the claim. */
  #serial(work: (standing: Standing) => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(async () => {
      const standing = this.#standing;
      if (standing === undefined) return;
      try {
        await work(standing);
        this.#lastCommitted = standing.claim.committed;
      } catch (error) {
        this.#lose(standing, error);
      }
    });
    return this.#queue;
  }

  #lose(standing: Standing, error: unknown): void {
    if (this.#standing !== standing) return;
    this.#log.warn({ err: error }, 'the claim on this partition is lost; claiming it again');
    this.#standing = undefined;
    this.#waiting.clear();
    void this.#reclaim();
    this.#deps.observer.reclaimed(this.#deps.partition);
    this.#deps.control.pause(this.#deps.partition);
    void standing.claim.transactions.close().catch(() => undefined);
  }

  /** After a loss: a newer owner may exist, so only while the group still assigns the partition to us. */
  async #reclaim(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      await this.#deps.clock.sleep(Math.random() * RECLAIM_PAUSE_MS, signal);
      await this.#deps.stillMember(signal);
    } catch {
      return;
    }
    await this.#claimUntilDone();
  }

  async #claimUntilDone(): Promise<void> {
    const { signal } = this.#stopped;
    for (let waitMs = 0; ; waitMs = 500 + Math.random() * RECLAIM_PAUSE_MS) {
      try {
        await this.#deps.clock.sleep(waitMs, signal);
      } catch {
        return;
      }
      try {
        await this.#checkpointer.settle();
        await this.#begin(await this.#claimant.claim(this.#lastCommitted, this.#fromLog));
        return;
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        const fresh = problem !== this.#problem;
        this.#problem = problem;
        if (!(error instanceof ClaimDelayed)) this.#log.warn({ err: error }, 'claiming failed; trying again');
        else if (fresh) this.#log.error(problem);
      }
    }
  }

  async #begin(claimed: Claimed): Promise<void> {
    const { claim } = claimed;
    if (this.#stopped.signal.aborted) {
      await claim.transactions.close().catch(() => undefined);
      return;
    }
    const startedMs = this.#deps.clock.nowMs();
    const rebuilding = claimed.kind === 'rebuild' ? { ...claimed, startedMs } : undefined;
    this.#standing = { claim, rebuilding };
    if (claimed.kind === 'complete') {
      await this.#serial(async () => {
        claim.goLive();
        await claim.commit(claimed.announcements);
        await this.#nowLive(claim, claimed.how);
      });
    } else if (claimed.rebuild.done) {
      await this.#serial((standing) => this.#goLive(standing, standing.rebuilding));
    } else {
      this.#deps.control.seekAndResume(this.#deps.partition, claimed.rebuild.position);
    }
  }

  async #foldRebuild(standing: Standing, rebuilding: Rebuilding, batch: FetchedBatch): Promise<void> {
    const { rebuild } = rebuilding;
    const missingSchema = rebuild.fold(batch.records, batch.end);
    standing.claim.folder.takeOutputs();
    this.#tellProgress();
    if (missingSchema !== undefined) this.#waitForSchemas(standing, batch);
    else if (rebuild.done) await this.#goLive(standing, rebuilding);
  }

  #tellProgress(): void {
    const { position, recordsLeft, secondsLeft: left } = this.status();
    this.#deps.observer.rebuilding(this.#deps.partition, recordsLeft);
    const nowMs = this.#deps.clock.nowMs();
    if (recordsLeft === 0 || nowMs - this.#lastProgressMs < PROGRESS_EVERY_MS) return;
    this.#lastProgressMs = nowMs;
    this.#log.info({ position, recordsLeft, secondsLeft: left }, 'rebuilding the state');
  }

  /** The fold has reached the committed offset: checks that nothing moved meanwhile, and that the state fits. */
  async #goLive(standing: Standing, rebuilding: Rebuilding | undefined): Promise<void> {
    if (rebuilding === undefined) return;
    const { claim, expected, rebuild, how } = rebuilding;
    rebuild.finish();
    const now = await this.#deps.facts.committed(this.#deps.partition);
    if (now !== undefined && now.offset !== rebuild.target) {
      throw new ClaimDelayed(`the committed offset moved from ${rebuild.target} to ${now.offset}`);
    }
    // Idle time and limits are committed without the offset moving; the checkpoint may be that of such a commit.
    if (now !== undefined && now.metadata !== claim.committed?.metadata) {
      throw new ClaimDelayed(`another owner committed at ${rebuild.target} meanwhile`);
    }
    if (expected !== undefined) this.#checkDigest(rebuilding, expected);
    this.#fromLog = false;
    standing.rebuilding = undefined;
    claim.goLive();
    await this.#nowLive(claim, how);
  }

  /** The digest is an alarm, not a gate: what the log itself gives is gone on with. */
  #checkDigest({ claim, how }: Rebuilding, expected: { digest: string; atMicros: number }): void {
    const found = { digest: claim.fold.digest(), atMicros: claim.fold.timeMicros };
    if (found.digest === expected.digest && found.atMicros === expected.atMicros) return;
    this.#deps.observer.digestMismatch(this.#deps.partition);
    if (how === 'checkpoint') {
      this.#fromLog = true;
      throw new ClaimDelayed('the rebuilt state does not fit its digest: folding from the start of the log');
    }
    this.#log.error(
      { expected, found },
      'the state rebuilt from the start of the log does not fit its digest either; going on with it',
    );
    claim.folder.advance(expected.atMicros);
  }

  async #nowLive(claim: Claim, how: string): Promise<void> {
    const { partition, observer, control } = this.#deps;
    this.#problem = undefined;
    await claim.applyLimits();
    this.#log.info({ position: claim.position, how }, 'partition claimed');
    observer.rebuilding(partition, 0);
    observer.claimed(partition, how);
    if (this.#stopped.signal.aborted) return;
    // Fetched beyond the end of a rebuild, perhaps.
    this.#waiting.clear();
    control.seekAndResume(partition, claim.position);
  }

  async #foldLive(claim: Claim, batch: FetchedBatch): Promise<void> {
    const missingSchema = await claim.foldBatch(batch);
    const lag = Math.max(0, this.#highWatermark - claim.position);
    const { records } = batch;
    const lastMs = records.length === 0 ? 0 : records.appendMs(records.length - 1);
    this.#deps.observer.position(this.#deps.partition, lag, lastMs);
    if (missingSchema !== undefined && this.#standing) this.#waitForSchemas(this.#standing, batch);
    else if (claim.position !== batch.end) this.refetch();
  }

  /**
   * Stops fetching in front of a record whose schema is not known yet, and goes on when it is. All ids of the
   * batch are asked for at once, as garbage with many of them must not hold the partition up for each; but the
   * records before such garbage do not wait for it.
   */
  #waitForSchemas(standing: Standing, batch: FetchedBatch): void {
    const { control, partition, schemas } = this.#deps;
    control.pause(partition);
    this.#waiting.clear();
    const { records } = batch;
    const ahead = records.slice(records.indexOf(this.status().position));
    const ids = standing.claim.folder.missingSchemas(ahead).slice(0, SCHEMAS_AT_ONCE);
    const [first, ...others] = ids.map((id) => schemas.resolve(id));
    for (const other of others) other.catch(() => undefined);
    Promise.resolve(first).then(
      () => {
        if (this.#standing === standing) this.refetch();
      },
      (error: unknown) => {
        if (this.#standing === standing) this.#lose(standing, error);
      },
    );
  }

  /** kafkajs fetched from elsewhere: what we are waiting for may be gone. Then the claim table decides. */
  async #checkBounds(expected: number): Promise<void> {
    const { start, end } = await this.#deps.facts.bounds(this.#deps.partition);
    if (start > expected) throw new ClaimDelayed(`retention deleted records ${expected} to ${start - 1}`);
    if (end < expected)
      throw new ClaimDelayed(`the log ends at ${end}, before ${expected}: records are gone`);
  }
}

/** How long the rest of a rebuild takes at the pace so far. */
function secondsLeft({ rebuild, startedMs }: Rebuilding, nowMs: number): number | undefined {
  const done = rebuild.position - rebuild.from;
  if (done <= 0) return undefined;
  return Math.ceil(((rebuild.target - rebuild.position) * (nowMs - startedMs)) / done / 1000);
}
