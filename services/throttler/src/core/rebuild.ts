// Rebuilding a partition's state: a fold without output from a checkpoint (or the log's start) up to the
// committed offset, with every change of limits and all idle time at the offset where it happened.

import type { LimitsChange } from '@alert-throttle/throttle';

import type { RawRecords } from '../ports.ts';
import type { History, HistoryStep } from './history.ts';
import type { RecordFolder } from './record-folder.ts';

export class Rebuild {
  /** The offset after the last record folded. */
  position: number;
  readonly from: number;
  readonly target: number;
  readonly #folder: RecordFolder;
  readonly #steps: HistoryStep[];
  #limits: LimitsChange;

  constructor(folder: RecordFolder, history: History, from: number, target: number) {
    this.#folder = folder;
    this.from = from;
    this.position = from;
    this.target = target;
    this.#limits = history.limitsBefore(from);
    this.#steps = history.steps(from, target);
  }

  get done(): boolean {
    return this.position >= this.target;
  }

  /**
   * Folds the records below the target. `end` is the offset after the fetched batch, control records included.
   * Returns the id of a schema that must be fetched before the fold can go on.
   */
  fold(records: RawRecords, end: number): number | undefined {
    let from = 0;
    while (from < records.length) {
      const first = records.offset(from);
      if (first >= this.target) break;
      this.#takeSteps(first);
      const nextStep = Math.min(this.#steps[0]?.offset ?? Infinity, this.target);
      const to = records.indexOf(nextStep);
      const { folded, missingSchema } = this.#folder.foldAll(records.slice(from, to), this.#limits);
      if (missingSchema !== undefined) {
        this.position = records.offset(from + folded);
        return missingSchema;
      }
      from = to;
    }
    this.skipTo(end);
    return undefined;
  }

  /** Nothing is to be folded below that offset. */
  skipTo(end: number): void {
    this.position = Math.min(Math.max(this.position, end), this.target);
  }

  /** At the target: what happened at that very offset, after the last record before it. */
  finish(): void {
    this.#takeSteps(this.target);
  }

  /** Takes the steps at or before the offset of the record that comes next. */
  #takeSteps(offset: number): void {
    for (let step = this.#steps[0]; step !== undefined && step.offset <= offset; step = this.#steps[0]) {
      this.#steps.shift();
      if (step.kind === 'idle') {
        this.#folder.advance(step.micros);
      } else {
        this.#limits = step.limits;
        if (!step.limits.alertThrottling) this.#folder.throttlingOff();
      }
    }
  }
}
