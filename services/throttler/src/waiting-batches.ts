// What was fetched of a partition while an earlier batch is being decided. Batches that follow each other are taken
// together: what came in during one transaction goes into the next.

import { PartitionRecords } from '@alert-throttle/kafka';

import type { FetchedBatch } from './ports.ts';

/** As one fetch of a partition may bring: more is not joined, and not fetched ahead. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Each may keep the whole answer alive that it came in, with the batches of other partitions. */
const MAX_BATCHES = 8;

interface Waiting {
  readonly batch: FetchedBatch;
  readonly bytes: number;
}

export class WaitingBatches {
  readonly #maxRecords: number;
  #waiting: Waiting[] = [];
  #records = 0;
  #bytes = 0;

  /** No more than `maxRecords` are joined to one batch; a single one may have more. */
  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  /** Whether so much waits that nothing more should be fetched. */
  get full(): boolean {
    return (
      this.#records >= this.#maxRecords || this.#bytes >= MAX_BYTES || this.#waiting.length >= MAX_BATCHES
    );
  }

  push(batch: FetchedBatch): void {
    const bytes = batch.records.byteLength();
    this.#waiting.push({ batch, bytes });
    this.#records += batch.records.length;
    this.#bytes += bytes;
  }

  /**
   * That batch, if it is the first one, with those after it, as far as each begins where the one before it ends.
   * Undefined where it was joined to one before it, or forgotten.
   */
  take(batch: FetchedBatch): FetchedBatch | undefined {
    const [first] = this.#waiting;
    if (first?.batch !== batch) return undefined;
    let joined = 1;
    let { end } = batch;
    let count = batch.records.length;
    let { bytes } = first;
    for (; joined < this.#waiting.length; joined++) {
      const next = this.#waiting[joined];
      if (next === undefined || next.batch.fetchedOffset !== end) break;
      if (count + next.batch.records.length > this.#maxRecords || bytes + next.bytes > MAX_BYTES) break;
      end = next.batch.end;
      count += next.batch.records.length;
      bytes += next.bytes;
    }
    const taken = this.#waiting.splice(0, joined).map((one) => one.batch);
    this.#records -= count;
    this.#bytes -= bytes;
    if (joined === 1) return batch;
    const last = taken.at(-1) ?? batch;
    return {
      records: PartitionRecords.concat(taken.map(({ records }) => records)),
      fetchedOffset: batch.fetchedOffset,
      end,
      highWatermark: last.highWatermark,
      heartbeat: () => last.heartbeat(),
    };
  }

  /** What waits will be fetched again. */
  clear(): void {
    this.#waiting = [];
    this.#records = 0;
    this.#bytes = 0;
  }
}
