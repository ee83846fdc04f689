// Claims a partition: fences earlier owners, reads what is committed, finds the best state to start from, and
// says what must be folded again until the claim can go live. See ARCHITECTURE.md for the table.

import { makeAlert } from '@alert-throttle/alert';
import {
  formatMicros,
  isOwnVersion,
  type OffsetMetadata,
  parseOffsetMetadata,
  PartitionFold,
} from '@alert-throttle/throttle';
import type { Logger } from '@alert-throttle/observability';

import type { Checkpointer, LoadedCheckpoint } from './checkpointer.ts';
import { Claim } from './claim.ts';
import { type ClaimPlan, planClaim } from './core/claim-plan.ts';
import { History } from './core/history.ts';
import { Rebuild } from './core/rebuild.ts';
import type { OwnerDependencies } from './owner-dependencies.ts';
import type { CommittedOffset, OutputRecord, PartitionTransactions } from './ports.ts';

/** Something that a claim must wait for; it is tried again. */
export class ClaimDelayed extends Error {
  override readonly name = 'ClaimDelayed';
}

/** What the rebuilt state must be like. */
export interface ExpectedState {
  readonly digest: string;
  readonly atMicros: number;
}

/** A claim that stands in Kafka; its state is either complete or to be rebuilt. */
export type Claimed =
  | {
      readonly kind: 'complete';
      readonly claim: Claim;
      readonly how: 'first' | 'gap';
      /** Go out with the first commit, which has yet to be made. */
      readonly announcements: readonly OutputRecord[];
    }
  | {
      readonly kind: 'rebuild';
      readonly claim: Claim;
      readonly how: 'checkpoint' | 'log';
      readonly rebuild: Rebuild;
      /** Undefined where there is nothing to compare with. */
      readonly expected: ExpectedState | undefined;
    };

export class Claimant {
  readonly #deps: OwnerDependencies;
  readonly #checkpointer: Checkpointer;
  readonly #log: Logger;

  constructor(deps: OwnerDependencies, checkpointer: Checkpointer, log: Logger) {
    this.#deps = deps;
    this.#checkpointer = checkpointer;
    this.#log = log;
  }

  /**
   * `lastCommitted` is this process's own last commit: it counts where kafkajs reset the group's offset on its
   * own. `fromLog` discards the checkpoint. Throws ClaimDelayed, and whatever Kafka throws.
   */
  async claim(lastCommitted: CommittedOffset | undefined, fromLog: boolean): Promise<Claimed> {
    const { facts, partition } = this.#deps;
    const problems = await facts.topicProblems();
    if (problems.length > 0) throw new ClaimDelayed(problems.join('\n'));
    const transactions = this.#deps.transactions();
    try {
      // The fence comes before the offset is read: what an earlier owner has in flight is settled then.
      await transactions.fence();
      const plan = planClaim({
        committed: (await facts.committed(partition)) ?? lastCommitted,
        bounds: await facts.bounds(partition),
        startFrom: this.#deps.startFrom,
        // In this order: another partition of the group may commit for the first time, and emit, in between.
        throttledTopicIsEmpty: await facts.throttledTopicIsEmpty(),
        groupHasCommits: await facts.groupHasCommits(),
      });
      return await this.#carryOut(plan, transactions, fromLog);
    } catch (error) {
      await transactions.close().catch(() => undefined);
      throw error;
    }
  }

  async #carryOut(plan: ClaimPlan, transactions: PartitionTransactions, fromLog: boolean): Promise<Claimed> {
    const { onRefused, topic, partition } = this.#deps;
    if (plan.kind === 'refuse') {
      onRefused(plan.code, `${topic}/${partition}: ${plan.message}`);
      throw new ClaimDelayed(plan.message);
    }
    if (plan.kind === 'first') return this.#fresh(transactions, plan.offset);
    const metadata = this.#parseMetadata(plan.committed);
    const start = plan.kind === 'gap' ? plan.to : plan.committed.offset;
    if (metadata === undefined) {
      const lost = plan.kind === 'gap' ? [this.#lostRecord(plan.committed.offset, plan.to, 0)] : [];
      return this.#fresh(transactions, start, lost);
    }
    const checkpoint = fromLog ? undefined : await this.#checkpointer.load();
    return plan.kind === 'gap'
      ? this.#overGap(plan.committed.offset, plan.to, metadata, transactions, checkpoint)
      : this.#resume(plan.committed, metadata, transactions, checkpoint);
  }

  /** Nothing is known before `offset`: commit it with the limits, then fold from there. */
  #fresh(
    transactions: PartitionTransactions,
    offset: number,
    announcements: readonly OutputRecord[] = [],
  ): Claimed {
    this.#checkpointer.adopt(undefined);
    const history = History.begin(offset, this.#deps.limits());
    const claim = this.#makeClaim(transactions, new PartitionFold(), history, offset);
    return { kind: 'complete', claim, how: 'first', announcements };
  }

  /** What the log no longer holds cannot be folded: the windows survive only in a checkpoint of that offset. */
  #overGap(
    from: number,
    to: number,
    metadata: OffsetMetadata,
    transactions: PartitionTransactions,
    checkpoint: LoadedCheckpoint | undefined,
  ): Claimed {
    const known = History.of(metadata);
    const announcements = [this.#lostRecord(from, to, metadata.at)];
    if (checkpoint?.offset === from) {
      const claim = this.#makeClaim(transactions, checkpoint.fold, known, to);
      // What happened at that very offset since the checkpoint was written: idle time, and throttling turned off.
      new Rebuild(claim.folder, known, from, from).finish();
      claim.folder.advance(metadata.at);
      if (!isOwnVersion(metadata) || claim.fold.digest() === metadata.digest) {
        this.#checkpointer.adopt(checkpoint.token);
        known.timeAdvanced(to, metadata.at);
        return { kind: 'complete', claim, how: 'gap', announcements };
      }
      this.#deps.observer.digestMismatch(this.#deps.partition);
    }
    this.#checkpointer.adopt(undefined);
    const history = History.begin(to, known.inForce);
    const claim = this.#makeClaim(transactions, new PartitionFold(), history, to);
    claim.folder.advance(metadata.at);
    history.timeAdvanced(to, metadata.at);
    return { kind: 'complete', claim, how: 'gap', announcements };
  }

  async #resume(
    committed: CommittedOffset,
    metadata: OffsetMetadata,
    transactions: PartitionTransactions,
    checkpoint: LoadedCheckpoint | undefined,
  ): Promise<Claimed> {
    const target = committed.offset;
    const { start } = await this.#deps.facts.bounds(this.#deps.partition);
    const history = History.of(metadata);
    const reachable =
      checkpoint !== undefined &&
      checkpoint.offset >= history.begins &&
      checkpoint.offset <= target &&
      (checkpoint.offset >= start || checkpoint.offset === target);
    const usable = reachable ? checkpoint : undefined;
    this.#checkpointer.adopt(usable?.token);
    const claim = this.#makeClaim(transactions, usable?.fold ?? new PartitionFold(), history, target);
    claim.committed = committed;
    const from = usable?.offset ?? Math.min(Math.max(start, history.begins), target);
    if (from < target) {
      this.#log.info({ from, to: target, checkpoint: usable?.offset ?? null }, 'rebuilding the state');
    }
    return {
      kind: 'rebuild',
      claim,
      how: usable === undefined ? 'log' : 'checkpoint',
      rebuild: new Rebuild(claim.folder, history, from, target),
      // The state of another version of the fold is another state: nothing to compare with.
      expected: isOwnVersion(metadata) ? { digest: metadata.digest, atMicros: metadata.at } : undefined,
    };
  }

  #makeClaim(
    transactions: PartitionTransactions,
    fold: PartitionFold,
    history: History,
    position: number,
  ): Claim {
    return new Claim({ transactions, fold, history, position }, this.#deps, this.#checkpointer);
  }

  #parseMetadata(committed: CommittedOffset): OffsetMetadata | undefined {
    try {
      return parseOffsetMetadata(committed.metadata);
    } catch (error) {
      this.#log.warn(
        { offset: committed.offset, err: error },
        'the committed offset has no metadata of a throttler (was it set by hand?): beginning there, with empty windows',
      );
      return undefined;
    }
  }

  #lostRecord(from: number, to: number, micros: number): OutputRecord {
    const { partition, topic, schemas } = this.#deps;
    const reason = `retention of ${topic}/${partition} deleted them before they were decided`;
    this.#log.error({ from, to }, `${to - from} records are lost: ${reason}`);
    const alert = makeAlert({
      Timestamp: Math.floor(micros / 1_000_000),
      UpdatedTime: formatMicros(micros),
      EventTimeMicros: micros,
      Type: 'SystemEvent',
      Operation: 'AlertsLost',
      Lost: { LostAlerts: to - from, First: from, Last: to - 1, Counter: 'offset', Reason: reason },
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
