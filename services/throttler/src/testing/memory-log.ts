// One partition as its owners see it of Kafka: the raw log, and the committed offset that moves together with the
// outputs in one transaction, for the latest of the producers that were initialised and for no other.
//
// A broker that is restarted at the wrong moment forgets to end a transaction: its outputs hang in their topics and its
// offset in the group, each until a later transaction of the same partition ends there, which reveals what hangs.

import { PartitionRecords } from '@alert-throttle/kafka';
import type { IHeaders } from 'kafkajs';

import type {
  CommittedOffset,
  FetchedBatch,
  LogBounds,
  OutputRecord,
  OutputTopic,
  RawRecord,
} from '../ports.ts';

/** One transaction as committed. */
export interface LoggedCommit extends CommittedOffset {
  readonly outputs: readonly OutputRecord[];
}

/** A transaction without an end. */
interface Hanging {
  readonly outputs: readonly OutputRecord[];
  /** Undefined where it was to be aborted, or where an end came to the offset and not to the outputs. */
  readonly position: CommittedOffset | undefined;
}

/** A newer producer has the transactional id now. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

export interface NewRecord {
  readonly appendMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: IHeaders;
}

export class MemoryLog {
  readonly commits: LoggedCommit[] = [];
  /** Called with each commit, before anyone else learns of it. */
  onCommit: (commit: LoggedCommit) => void = () => undefined;
  /** Called with each commit that is confirmed, whether or not it ever comes to light. */
  onConfirmed: (commit: LoggedCommit) => void = () => undefined;
  /** The broker is restarted at the next end of a transaction, and forgets to write it. */
  forgetsEnd = false;
  /** A commit was confirmed, and aborted later on. */
  revoked = false;
  /** Whether other partitions have a committed offset or output. */
  othersCommitted = false;
  throttledElsewhere = false;
  topicProblems: readonly string[] = [];
  /** Misuse of the ports, which no owner may answer for by an error of its own. */
  readonly violations: string[] = [];
  #records: RawRecord[] = [];
  #start = 0;
  #end = 0;
  #epoch = 0;
  #hanging: Hanging[] = [];
  /** Sent in the transaction that is open. */
  #sent: readonly OutputRecord[] = [];

  get bounds(): LogBounds {
    return { start: this.#start, end: this.#end };
  }

  get records(): readonly RawRecord[] {
    return this.#records;
  }

  get committed(): CommittedOffset | undefined {
    return this.commits.at(-1);
  }

  get throttledIsEmpty(): boolean {
    return !this.throttledElsewhere && this.commits.every(({ outputs }) => outputs.length === 0);
  }

  /** All that a read_committed consumer of both output topics would have seen, in order. */
  get outputs(): OutputRecord[] {
    return this.commits.flatMap(({ outputs }) => outputs);
  }

  append(record: NewRecord): RawRecord {
    const { appendMs, key, value, headers } = record;
    const logged = { offset: this.#end++, appendMs, key, value, headers };
    this.#records.push(logged);
    return logged;
  }

  /** Offsets that no consumer is shown: control records, or records of an aborted transaction. */
  appendHidden(count = 1): void {
    this.#end += count;
  }

  /** Retention deletes what lies before `offset`. */
  truncate(offset: number): void {
    this.#start = Math.min(Math.max(this.#start, offset), this.#end);
    this.#records = this.#records.filter((record) => record.offset >= this.#start);
  }

  /** As if the topic had been deleted and made anew. */
  wipe(): void {
    this.#records = [];
    this.#start = 0;
    this.#end = 0;
  }

  /** At most `max` offsets from there on; undefined at the end of the log. */
  read(from: number, max = 1000): FetchedBatch | undefined {
    const fetchedOffset = Math.max(from, this.#start);
    const end = Math.min(fetchedOffset + max, this.#end);
    if (end <= fetchedOffset) return undefined;
    const records = this.#records.filter(({ offset }) => offset >= fetchedOffset && offset < end);
    return {
      records: PartitionRecords.of(records),
      fetchedOffset,
      end,
      highWatermark: this.#end,
      heartbeat: () => Promise.resolve(),
    };
  }

  /** A new producer has the transactional id; whatever the one before had begun is aborted. */
  fence(): number {
    this.#epoch += 1;
    if (this.#sent.length > 0 && this.#forgets()) {
      this.#hanging.push({ outputs: this.#sent, position: undefined });
    }
    this.#sent = [];
    return this.#epoch;
  }

  /** Ends all that hangs, by a transaction that touches everything and is aborted. */
  abortHanging(): void {
    if (this.#hanging.some(({ position }) => position !== undefined)) this.revoked = true;
    this.#hanging = [];
  }

  hangsIn(topic: OutputTopic): boolean {
    return this.#hanging.some(({ outputs }) => outputs.some((output) => output.topic === topic));
  }

  send(epoch: number, outputs: readonly OutputRecord[]): void {
    this.checkEpoch(epoch);
    this.#sent = outputs;
  }

  checkEpoch(epoch: number): void {
    if (epoch !== this.#epoch) throw new FencedError(`epoch ${epoch}, but ${this.#epoch} has the id`);
  }

  commit(epoch: number, outputs: readonly OutputRecord[], { offset, metadata }: CommittedOffset): void {
    this.checkEpoch(epoch);
    this.#sent = [];
    const commit = { offset, metadata, outputs };
    this.onConfirmed(commit);
    // A first claim that hangs is made again, by whoever: nothing was decided on top of it.
    if (this.committed !== undefined && this.#forgets()) {
      this.#hanging.push({ outputs, position: commit });
      return;
    }
    this.#reveal(new Set(outputs.map(({ topic }) => topic)));
    this.#commit(commit);
  }

  #commit(commit: LoggedCommit): void {
    const before = this.committed?.offset ?? 0;
    if (commit.offset < before) this.violations.push(`committed ${commit.offset} after ${before}`);
    this.onCommit(commit);
    this.commits.push(commit);
  }

  #forgets(): boolean {
    const forgets = this.forgetsEnd;
    this.forgetsEnd = false;
    return forgets;
  }

  /** A commit ends what hangs in the group, and in the topics that it writes to. */
  #reveal(topics: ReadonlySet<OutputTopic>): void {
    const left: Hanging[] = [];
    for (const { outputs, position } of this.#hanging) {
      const revealed = outputs.filter(({ topic }) => topics.has(topic));
      if (position !== undefined) this.#commit({ ...position, outputs: revealed });
      else if (revealed.length > 0) this.violations.push('outputs without their offset came to light');
      const others = outputs.filter(({ topic }) => !topics.has(topic));
      if (others.length > 0) left.push({ outputs: others, position: undefined });
    }
    this.#hanging = left;
  }

  /** An offset as kafka-consumer-groups.sh would set it. */
  setByHand(offset: number, metadata = ''): void {
    this.commits.push({ offset, metadata, outputs: [] });
  }
}
