// Holds every commit of a partition against the pure core: the outputs of a commit must be, byte for byte and in
// order, what the fold makes of the records since the commit before it, of the time that was let pass, and of the
// limits that were put in force. It knows records by what they were made of, and reads no bytes of theirs.

import { containerKey } from '@alert-throttle/alert';
import {
  appendTimeMicros,
  crossingDetails,
  type FoldSink,
  type IntervalEvent,
  type LimitsChange,
  parseOffsetMetadata,
  PartitionFold,
  sameLimits,
  thresholdAlert,
  thresholdEndedAlert,
} from '@alert-throttle/throttle';

import type { OutputRecord } from '../ports.ts';
import type { LoggedCommit } from './memory-log.ts';
import { alertOf, type RecordSpec } from './random-records.ts';
import { encoded } from './raw-alerts.ts';

/** A record of the raw log and what it was made of. */
export interface KnownRecord {
  readonly offset: number;
  readonly appendMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly spec: RecordSpec;
  readonly name: string;
}

export class CommitOracle {
  readonly fold = new PartitionFold();
  /** All records in the log so far. */
  readonly records: KnownRecord[] = [];
  readonly problems: string[] = [];
  /** Every state that was committed, as `offset digest`. */
  readonly states = new Set<string>();
  passed = 0;
  dropped = 0;
  repeats = 0;
  #next = 0;
  #inForce: LimitsChange | undefined;
  #out: string[] = [];
  readonly #sink: FoldSink = {
    threshold: (event) => this.#event(event, thresholdAlert),
    ended: (event) => this.#event(event, thresholdEndedAlert),
  };

  check({ offset, metadata, outputs }: LoggedCommit): void {
    const meta = parseOffsetMetadata(metadata);
    const limits = meta.limits.at(-1);
    if (limits === undefined) return;
    this.#out = [];
    this.#inForce ??= limits;
    this.#foldTo(offset, this.#inForce);
    if (!sameLimits(limits, this.#inForce)) {
      if (!limits.alertThrottling) this.fold.throttlingOff(this.#sink);
      if (limits.from !== offset) this.problems.push(`limits from ${limits.from} committed at ${offset}`);
    }
    this.#inForce = limits;
    this.fold.advance(meta.at, this.#sink);
    this.#compare(offset, outputs);
    const digest = this.fold.digest();
    if (meta.at !== this.fold.timeMicros) {
      this.problems.push(`at ${offset}: time ${meta.at}, expected ${this.fold.timeMicros}`);
    }
    if (meta.digest !== digest) this.problems.push(`at ${offset}: digest ${meta.digest}, expected ${digest}`);
    this.states.add(`${offset} ${digest}`);
  }

  #compare(offset: number, outputs: readonly OutputRecord[]): void {
    const found = outputs.map(textOf);
    const differs = this.#out.findIndex((text, index) => text !== found[index]);
    if (differs < 0 && found.length === this.#out.length) return;
    const at = differs < 0 ? this.#out.length : differs;
    this.problems.push(
      `at ${offset}: output ${at} of ${found.length} is ${found[at] ?? 'missing'}, expected ${this.#out[at] ?? 'none'}`,
    );
  }

  #foldTo(offset: number, limits: LimitsChange): void {
    for (let record = this.records[this.#next]; record && record.offset < offset;) {
      this.#fold(record, limits);
      this.#next += 1;
      record = this.records[this.#next];
    }
  }

  #fold(record: KnownRecord, limits: LimitsChange): void {
    const { spec, appendMs, offset, name } = record;
    const { fold } = this;
    fold.advance(appendTimeMicros(appendMs), this.#sink);
    if (spec.kind === 'poison') {
      this.#forward('deadLetter', record);
      return;
    }
    if (fold.isRepeat('n1', 'b1', spec.sequence)) {
      this.repeats += 1;
      return;
    }
    if (spec.kind === 'tombstone') {
      fold.remove(spec.container, this.#sink);
    } else if (spec.kind !== 'other') {
      const alert = alertOf(spec, appendMs, name);
      const seen = {
        containerKey: containerKey(alert),
        eventTimeMicros: alert.EventTimeMicros,
        policy: alert.PolicyName,
        operation: alert.Operation,
        partition: 0,
        offset,
        details: () => crossingDetails(alert),
      };
      if (fold.alert(seen, limits, this.#sink) !== 'passed') {
        this.dropped += 1;
        return;
      }
    }
    this.passed += 1;
    this.#forward('throttled', record);
  }

  #forward(topic: OutputRecord['topic'], { key, value, appendMs }: KnownRecord): void {
    this.#out.push(textOf({ topic, key, value, timestampMs: appendMs }));
  }

  #event(event: IntervalEvent, toAlert: typeof thresholdAlert): void {
    const key = Buffer.from(event.containerKey);
    const timestampMs = Math.floor(this.fold.timeMicros / 1000);
    this.#out.push(textOf({ topic: 'throttled', key, value: encoded(toAlert(event)), timestampMs }));
  }
}

/** The record as one text, so that equal texts are equal records. */
function textOf({ topic, key, value, timestampMs }: Omit<OutputRecord, 'headers'>): string {
  return `${topic} ${String(key)} ${timestampMs} ${value?.toString('latin1') ?? 'tombstone'}`;
}
