// Holds every commit of a partition against the pure core: the outputs of a commit must be, byte for byte and in
// order, what the fold makes of the records since the commit before it, of the time that was let pass, and of the
// limits that were put in force. It knows records by what they were made of, and reads no bytes of theirs.
//
// Where retention deleted the beginning of the log, a state that is folded from the log may be another one than what
// was: then the outputs must be what the fold makes of the log as it was since one of its starts.

import { containerKey, createReader, releasedSchemas } from '@alert-throttle/alert';
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

/** Limits, or time let pass, before the record at that offset. */
interface Step {
  readonly offset: number;
  readonly limits?: LimitsChange;
  readonly idleMicros?: number;
}

/** What a commit changes in an oracle. */
interface Tallied {
  passed: number;
  dropped: number;
  repeats: number;
  poison: number;
  /** Deleted before they were decided. */
  lost: number;
}

type Meta = ReturnType<typeof parseOffsetMetadata>;

const newest = releasedSchemas.at(-1);
const reader = newest && createReader(newest.type);

export class CommitOracle implements Tallied {
  fold = new PartitionFold();
  /** All records in the log so far. */
  readonly records: KnownRecord[] = [];
  /** Every offset to which retention deleted the log, ascending. */
  readonly starts: number[] = [];
  readonly problems: string[] = [];
  /** Every state whose commit was confirmed, as `offset digest`. */
  readonly states = new Set<string>();
  passed = 0;
  dropped = 0;
  repeats = 0;
  poison = 0;
  lost = 0;
  /** How often windows lived on over a gap. */
  keptOverGaps = 0;
  readonly #steps: Step[] = [];
  #committed = 0;
  #next = 0;
  #inForce: LimitsChange | undefined;
  #first: LimitsChange | undefined;
  #out: string[] = [];
  /** Time was let pass before the commit at hand, beyond what its records brought. */
  #idled = false;
  readonly #sink: FoldSink = {
    threshold: (event) => this.#event(event, thresholdAlert),
    ended: (event) => this.#event(event, thresholdEndedAlert),
  };

  /** It may be stored from now on, even where it never comes to light: then it is decided again, the same. */
  confirmed({ offset, metadata }: LoggedCommit): void {
    this.states.add(`${offset} ${parseOffsetMetadata(metadata).digest}`);
  }

  check(commit: LoggedCommit): void {
    const meta = parseOffsetMetadata(commit.metadata);
    const limits = meta.limits.at(-1);
    if (limits === undefined) return;
    const before = this.#inForce ?? limits;
    if (this.#inForce === undefined) this.#skip(commit.offset);
    this.#inForce = before;
    this.#first ??= before;
    const isGap = String(commit.outputs[0]?.key) === 'partition:0';
    if (isGap) this.#gap(commit, meta);
    else this.#tryAll(commit, meta, before, limits);
    this.#inForce = limits;
    this.#committed = commit.offset;
    if (!sameLimits(before, limits)) this.#steps.push({ offset: commit.offset, limits });
    if (isGap || this.#idled) this.#steps.push({ offset: commit.offset, idleMicros: meta.at });
  }

  /** The state as it was, or, where that does not fit, one that was folded since one of the log's starts. */
  #tryAll(commit: LoggedCommit, meta: Meta, before: LimitsChange, limits: LimitsChange): void {
    const untouched = this.starts.length > 0 ? cloneOf(this.fold) : this.fold;
    const { passed, dropped, repeats, poison, lost } = this;
    const [next, known] = [this.#next, this.problems.length];
    const back = (fold: PartitionFold): void => {
      this.fold = fold;
      this.#next = next;
      Object.assign(this, { passed, dropped, repeats, poison, lost });
    };
    this.#apply(commit, meta, before, limits);
    if (this.problems.length === known) return;
    const problems = this.problems.slice(known);
    for (const start of this.starts) {
      back(this.#since(start, untouched.timeMicros));
      this.problems.length = known;
      this.#apply(commit, meta, before, limits);
      if (this.problems.length === known) return;
    }
    if (this.starts.length === 0) return;
    back(untouched);
    this.#apply(commit, meta, before, limits);
    this.problems.length = known;
    this.problems.push(...problems);
  }

  #apply({ offset, outputs }: LoggedCommit, meta: Meta, before: LimitsChange, limits: LimitsChange): void {
    this.#out = [];
    this.#foldTo(offset, before);
    if (!sameLimits(limits, before)) {
      if (!limits.alertThrottling) this.fold.throttlingOff(this.#sink);
      if (limits.from !== offset) this.problems.push(`limits from ${limits.from} committed at ${offset}`);
    }
    this.#idled = meta.at > this.fold.timeMicros;
    this.fold.advance(meta.at, this.#sink);
    this.#compare(offset, outputs);
    this.#compareState(offset, meta);
  }

  #compareState(offset: number, meta: Meta): void {
    const digest = this.fold.digest();
    if (meta.at !== this.fold.timeMicros) {
      this.problems.push(`at ${offset}: time ${meta.at}, expected ${this.fold.timeMicros}`);
    }
    if (meta.digest !== digest) this.problems.push(`at ${offset}: digest ${meta.digest}, expected ${digest}`);
  }

  /** Records were deleted before they were decided: nothing but that is said, and windows live on or do not. */
  #gap({ offset, outputs }: LoggedCommit, meta: Meta): void {
    const [announcement, ...others] = outputs;
    const told = reader?.decode(announcement?.value ?? Buffer.alloc(0)).Lost;
    const expected = [this.#committed, offset - 1, offset - this.#committed];
    if ([told?.First, told?.Last, told?.LostAlerts].join() !== expected.join()) {
      this.problems.push(`at ${offset}: lost is ${JSON.stringify(told)}, expected ${expected.join()}`);
    }
    if (!this.starts.includes(offset)) this.problems.push(`at ${offset}: a gap where the log never began`);
    this.#skip(offset);
    const kept = this.fold.digest() === meta.digest;
    if (kept && this.fold.windowCount > 0) this.keptOverGaps += 1;
    if (!kept) this.fold = new PartitionFold(undefined, this.fold.timeMicros);
    this.#out = [];
    this.#compare(offset, others);
    this.#compareState(offset, meta);
  }

  #skip(offset: number): void {
    for (; (this.records[this.#next]?.offset ?? offset) < offset; this.#next++) this.lost += 1;
  }

  /** What the log from that offset on gives up to what was committed last. */
  #since(start: number, atMicros: number): PartitionFold {
    const limitsBefore = this.#steps.findLast((step) => step.limits && step.offset < start)?.limits;
    let limits = limitsBefore ?? this.#first;
    this.fold = new PartitionFold();
    const steps = this.#steps.filter(({ offset }) => offset >= start);
    const take = (upTo: number): void => {
      while ((steps[0]?.offset ?? Infinity) <= upTo) {
        const step = steps.shift();
        limits = step?.limits ?? limits;
        if (step?.limits?.alertThrottling === false) this.fold.throttlingOff(this.#sink);
        if (step?.idleMicros !== undefined) this.fold.advance(step.idleMicros, this.#sink);
      }
    };
    for (const record of this.records) {
      if (record.offset < start || record.offset >= this.#committed) continue;
      take(record.offset);
      if (limits !== undefined) this.#fold(record, limits);
    }
    take(this.#committed);
    this.fold.advance(atMicros, this.#sink);
    return this.fold;
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
      this.poison += 1;
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

function cloneOf(fold: PartitionFold): PartitionFold {
  return PartitionFold.restore(fold.snapshot().set, fold.timeMicros);
}

/** The record as one text, so that equal texts are equal records. */
function textOf({ topic, key, value, timestampMs }: Omit<OutputRecord, 'headers'>): string {
  return `${topic} ${String(key)} ${timestampMs} ${value?.toString('latin1') ?? 'tombstone'}`;
}
