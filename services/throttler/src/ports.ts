// The small interfaces through which a partition's owner acts on the world. Each has one real adapter in
// adapters/; tests put fault injectors between the two.

import type { PartitionRecord, PartitionRecords } from '@alert-throttle/kafka';
import type { IHeaders } from 'kafkajs';

/**
 * One record of the raw topic as it was fetched. Offsets stay below 2^53; the time is that of the append (the raw topic
 * has message.timestamp.type=LogAppendTime); a null value is a tombstone: the container was deleted.
 */
export type RawRecord = PartitionRecord;

/** Records of the raw topic that follow each other. Most are dropped, and never made a record each. */
export type RawRecords = PartitionRecords;

/** What one fetch brought of one partition. */
export interface FetchedBatch {
  readonly records: RawRecords;
  /** The offset that the fetch asked for. */
  readonly fetchedOffset: number;
  /** The offset after the batch, control records included. */
  readonly end: number;
  readonly highWatermark: number;
  /** Between two transactions of a long batch; rejects where the group rebalances. */
  heartbeat(): Promise<void>;
}

/** Which of the two topics that the throttler writes. Input partition p always goes to output partition p. */
export type OutputTopic = 'throttled' | 'deadLetter';

/** One record to be produced inside the partition's transaction. */
export interface OutputRecord {
  readonly topic: OutputTopic;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders | undefined;
  /** Milliseconds; the raw record's append time, or the partition's time for records of our own. */
  readonly timestampMs: number;
}

/** Offset and metadata as committed for one partition of the raw topic. */
export interface CommittedOffset {
  readonly offset: number;
  readonly metadata: string;
}

/** First offset still in the log, and the offset after the last record (the high watermark). */
export interface LogBounds {
  readonly start: number;
  readonly end: number;
}

/**
 * The transactional producer of one partition. `fence` must be called first; after any rejection the object
 * is spent: close it and make a new one (kafkajs would lose records silently if it were used again).
 */
export interface PartitionTransactions {
  /**
   * Initialises the transactional id: every earlier owner is fenced, and its transactions are at an end: what was
   * not committed to the last never will be. One that was confirmed, but to which the broker never wrote an end, is
   * aborted like an open one; so the committed offset read after this may lie before what an owner was told.
   */
  fence(): Promise<void>;
  /** Outputs, offset and metadata in one transaction. Rejects where outputs of the one before would be left behind. */
  commit(outputs: readonly OutputRecord[], position: CommittedOffset): Promise<void>;
  close(): Promise<void>;
}

/** What the claim needs to know of the log. All of it is read without joining the group. */
export interface LogFacts {
  /** Undefined where the group has no committed offset for that partition. */
  committed(partition: number): Promise<CommittedOffset | undefined>;
  groupHasCommits(): Promise<boolean>;
  bounds(partition: number): Promise<LogBounds>;
  throttledTopicIsEmpty(): Promise<boolean>;
  /** One line per problem with the command that sets it right; empty when the topics are as they must be. */
  topicProblems(): Promise<readonly string[]>;
}

/** The fetch position of the group's member; every call is local and takes effect at the next fetch. */
export interface FetchControl {
  seekAndResume(partition: number, offset: number): void;
  pause(partition: number): void;
}

/** A field of a partition's hash and its value. */
export type CheckpointField = readonly [field: string, value: string];

/** A checkpoint that is stored, read in slices: it may have a million fields. */
export interface StoredCheckpoint {
  /** The fields that say what the state is of, those that are there. */
  readonly head: ReadonlyMap<string, string>;
  /** All fields, windows and `@` fields alike, some of them twice. A mixture where the state is replaced meanwhile. */
  slices(): AsyncIterable<readonly CheckpointField[]>;
  /** Whether what is stored is still of the same state. */
  unchanged(): Promise<boolean>;
}

/** Changes to a partition's hash and to its set of throttled containers. */
export interface CheckpointChange {
  readonly set: readonly CheckpointField[];
  readonly del: readonly string[];
  readonly throttledSet: readonly (readonly [member: string, endUnixSeconds: number])[];
  readonly throttledDel: readonly string[];
}

/** Identifies the state that a checkpoint stands for: compared before anything is written. */
export interface CheckpointToken {
  readonly offset: string;
  readonly time: string;
  readonly digest: string;
}

/** The checkpoints in Redis. Every method rejects when Redis is away; nothing depends on it for correctness. */
export interface CheckpointStore {
  /** False while Redis is known to be away: not worth the work of building a checkpoint. */
  readonly available: boolean;
  /** Undefined where there is none. */
  load(partition: number): Promise<StoredCheckpoint | undefined>;
  /** Applies a change if the stored state is `expect`; false if it is not (nothing was written). */
  update(
    partition: number,
    expect: CheckpointToken,
    change: CheckpointChange,
    head: Readonly<Record<string, string>>,
  ): Promise<boolean>;
  /**
   * Builds the whole state beside the stored one and renames it in. The slices are asked for one by one, as they are
   * written.
   */
  replace(
    partition: number,
    slices: Iterable<CheckpointChange>,
    head: Readonly<Record<string, string>>,
  ): Promise<void>;
}

/** Monotonic time, for how long things last; never for what is decided. */
export interface MonotonicClock {
  nowMs(): number;
  /** Rejects on abort. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
