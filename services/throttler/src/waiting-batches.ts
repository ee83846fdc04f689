// What was fetched of a partition while an earlier batch is being decided. Batches that follow each other are taken
// together: what came in during one transaction goes into the next.

import type { FetchedBatch } from './ports.ts';

export class WaitingBatches {
  readonly #maxRecords: number;
  #batches: FetchedBatch[] = [];
  #records = 0;

  /** No more than `maxRecords` are joined to one batch; a single one may have more. */
  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  /** How many records wait. */
  get records(): number {
    return this.#records;
  }

  push(batch: FetchedBatch): void {
    this.#batches.push(batch);
    this.#records += batch.records.length;
  }

  /** The first ones, joined as far as each begins where the one before it ends. Undefined where none waits. */
  take(): FetchedBatch | undefined {
    const [first] = this.#batches;
    if (first === undefined) return undefined;
    let joined = 1;
    let { end } = first;
    let count = first.records.length;
    for (; joined < this.#batches.length; joined++) {
      const next = this.#batches[joined];
      if (next === undefined || next.fetchedOffset !== end) break;
      if (count + next.records.length > this.#maxRecords) break;
      end = next.end;
      count += next.records.length;
    }
    const taken = this.#batches.splice(0, joined);
    this.#records -= count;
    if (joined === 1) return first;
    const last = taken.at(-1) ?? first;
    return {
      records: taken.flatMap(({ records }) => records),
      fetchedOffset: first.fetchedOffset,
      end,
      highWatermark: last.highWatermark,
      heartbeat: () => last.heartbeat(),
    };
  }

  /** What waits will be fetched again. */
  clear(): void {
    this.#batches = [];
    this.#records = 0;
  }
}
