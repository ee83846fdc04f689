// The ports to Kafka over a MemoryLog. They hold their user to the rules of the ports: what the real adapters
// could not bear (a spent producer used again, two commits at once) is noted as a violation.

import type {
  CommittedOffset,
  FetchControl,
  LogBounds,
  LogFacts,
  OutputRecord,
  OutputTopic,
  PartitionTransactions,
} from '../ports.ts';
import { type Gate, openGate } from './gate.ts';
import type { MemoryLog } from './memory-log.ts';

export class MemoryTransactions implements PartitionTransactions {
  readonly #log: MemoryLog;
  readonly #gate: Gate;
  #epoch: number | undefined;
  #busy = false;
  #spent = false;
  #closed = false;
  /** To which topics the transaction before had outputs. */
  #written = new Set<OutputTopic>();

  constructor(log: MemoryLog, gate: Gate) {
    this.#log = log;
    this.#gate = gate;
  }

  async fence(): Promise<void> {
    if (this.#epoch !== undefined) this.#log.violations.push('a producer was initialised twice');
    this.#epoch = await this.#gate.pass('fence', () => {
      const epoch = this.#log.fence();
      this.#log.abortHanging();
      return epoch;
    });
  }

  async commit(outputs: readonly OutputRecord[], position: CommittedOffset): Promise<void> {
    const epoch = this.#epoch ?? -1;
    if (epoch < 0) this.#log.violations.push('commit before fence');
    if (this.#spent) this.#log.violations.push('a producer was used again after an error');
    if (this.#busy) this.#log.violations.push('two transactions of one producer at once');
    this.#busy = true;
    try {
      const topics = new Set(outputs.map(({ topic }) => topic));
      const left = [...this.#written].filter((topic) => !topics.has(topic));
      if (left.length > 0) await this.#gate.pass('ended', () => this.#checkEnded(left));
      this.#written = topics;
      if (outputs.length > 0) await this.#gate.pass('send', () => this.#log.send(epoch, outputs));
      await this.#gate.pass('commit', () => {
        // A transaction that was not ended when its producer went is aborted.
        if (this.#closed) throw new Error('the producer is disconnected');
        this.#log.commit(epoch, outputs, position);
      });
      this.#busy = false;
    } catch (error) {
      this.#spent = true;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#gate.pass('close', () => undefined);
  }

  #checkEnded(topics: readonly OutputTopic[]): void {
    if (topics.some((topic) => this.#log.hangsIn(topic))) throw new Error('the last transaction has no end');
  }
}

export class MemoryLogFacts implements LogFacts {
  readonly #log: MemoryLog;
  readonly #gate: Gate;

  constructor(log: MemoryLog, gate: Gate) {
    this.#log = log;
    this.#gate = gate;
  }

  committed(): Promise<CommittedOffset | undefined> {
    return this.#gate.pass('committed', () => this.#log.committed);
  }

  groupHasCommits(): Promise<boolean> {
    return this.#gate.pass(
      'groupHasCommits',
      () => this.#log.othersCommitted || this.#log.committed !== undefined,
    );
  }

  bounds(): Promise<LogBounds> {
    return this.#gate.pass('bounds', () => this.#log.bounds);
  }

  throttledTopicIsEmpty(): Promise<boolean> {
    return this.#gate.pass('throttledTopicIsEmpty', () => this.#log.throttledIsEmpty);
  }

  topicProblems(): Promise<readonly string[]> {
    return this.#gate.pass('topicProblems', () => this.#log.topicProblems);
  }
}

/** Who is handed what the consumer fetches. */
export interface FetchHandler {
  onBatch(batch: NonNullable<ReturnType<MemoryLog['read']>>): Promise<void>;
  onSkipped(start: number, end: number): Promise<void>;
}

/** The partition in one member's consumer, as kafkajs fetches it. */
export class MemoryFetches implements FetchControl {
  readonly #log: MemoryLog;
  readonly #gate: Gate;
  position = 0;
  paused = true;
  #busy = false;
  #sought = false;

  constructor(log: MemoryLog, gate: Gate = openGate) {
    this.#log = log;
    this.#gate = gate;
  }

  seekAndResume(_partition: number, offset: number): void {
    this.position = offset;
    this.paused = false;
    this.#sought = true;
  }

  pause(): void {
    this.paused = true;
  }

  /** Something can be fetched now. */
  get ready(): boolean {
    return !this.paused && !this.#busy && this.position < this.#log.bounds.end;
  }

  /**
   * Fetches once and hands over what came; `early`: the next fetch does not wait until that was dealt with. False
   * where nothing was to be fetched.
   */
  deliver(handler: FetchHandler, max?: number, early = false): boolean {
    if (!this.ready) return false;
    const fetched = this.#log.read(this.position, max);
    if (fetched === undefined) return false;
    const batch = { ...fetched, heartbeat: () => this.#gate.pass('heartbeat', () => undefined) };
    this.#sought = false;
    if (batch.records.length === 0) {
      this.position = batch.end;
      void handler.onSkipped(batch.fetchedOffset, batch.end);
      return true;
    }
    if (early) {
      this.position = batch.end;
      void handler.onBatch(batch);
      return true;
    }
    this.#busy = true;
    void handler.onBatch(batch).then(() => {
      this.#busy = false;
      // A seek wins over what the handler's end resolves.
      if (!this.#sought) this.position = batch.end;
    });
    return true;
  }
}
