// One partition as its owners see it of Kafka: the raw log, and the committed offset that moves together with the
// outputs in one transaction, for the latest of the producers that were initialised and for no other.

import type { IHeaders } from 'kafkajs';

import type { CommittedOffset, FetchedBatch, LogBounds, OutputRecord, RawRecord } from '../ports.ts';

/** One transaction as committed. */
export interface LoggedCommit extends CommittedOffset {
  readonly outputs: readonly OutputRecord[];
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
    return { records, fetchedOffset, end, highWatermark: this.#end, heartbeat: () => Promise.resolve() };
  }

  /** A new producer has the transactional id; whatever the one before had begun is aborted. */
  fence(): number {
    this.#epoch += 1;
    return this.#epoch;
  }

  checkEpoch(epoch: number): void {
    if (epoch !== this.#epoch) throw new FencedError(`epoch ${epoch}, but ${this.#epoch} has the id`);
  }

  commit(epoch: number, outputs: readonly OutputRecord[], { offset, metadata }: CommittedOffset): void {
    this.checkEpoch(epoch);
    const before = this.committed?.offset ?? 0;
    if (offset < before) this.violations.push(`committed ${offset} after ${before}`);
    const commit = { offset, metadata, outputs };
    this.onCommit(commit);
    this.commits.push(commit);
  }

  /** An offset as kafka-consumer-groups.sh would set it. */
  setByHand(offset: number, metadata = ''): void {
    this.commits.push({ offset, metadata, outputs: [] });
  }
}
