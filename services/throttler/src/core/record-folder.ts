// Folds the records of one partition, in log order, into its windows, and collects what goes out: alerts that
// pass (the bytes as they came), AlertThreshold and AlertThresholdEnded, tombstones, dead letters.

import {
  AlertFormatError,
  type Alert,
  type AlertReader,
  containerKey,
  isEligible,
  schemaIdOf,
} from '@alert-throttle/alert';
import {
  appendTimeMicros,
  type Decision,
  type FoldSink,
  type IntervalEvent,
  type Limits,
  type PartitionFold,
  thresholdAlert,
  thresholdEndedAlert,
} from '@alert-throttle/throttle';
import type { IHeaders } from 'kafkajs';

import type { OutputRecord, RawRecord, RawRecords } from '../ports.ts';
import { deadLetter, type Poison, type PoisonReason, tooLarge } from './dead-letter.ts';
import { SeenAlert } from './seen-alert.ts';

/** What the folder needs of the codec; nothing in it waits. */
export interface AlertSchemas {
  /** Undefined where the schema must be fetched first; throws AlertFormatError where the bytes are no alert. */
  reader(bytes: Buffer, from?: number, to?: number): AlertReader | undefined;
  /** Whether the registry said, again and again, that it has no such schema. */
  isUnknown(schemaId: number): boolean;
  encode(alert: Alert): Buffer;
}

/** Counts of one batch; added to the metrics once the batch is committed. */
export interface FoldCounts {
  in: number;
  passed: number;
  dropped: number;
  thresholds: number;
  thresholdsEnded: number;
  repeats: number;
  tombstones: number;
  deadLetters: Map<PoisonReason, number>;
}

export function noCounts(): FoldCounts {
  return {
    in: 0,
    passed: 0,
    dropped: 0,
    thresholds: 0,
    thresholdsEnded: 0,
    repeats: 0,
    tombstones: 0,
    deadLetters: new Map(),
  };
}

/** How far a batch was folded. */
export interface FoldResult {
  /** How many of the records were folded, from the first on. */
  readonly folded: number;
  /** Set where folding stopped in front of a record whose schema must be fetched first. */
  readonly missingSchema: number | undefined;
}

export interface RecordFolderOptions {
  readonly fold: PartitionFold;
  readonly schemas: AlertSchemas;
  readonly topic: string;
  readonly partition: number;
}

const REASON_OF_CODE: Readonly<Record<AlertFormatError['code'], PoisonReason>> = {
  NO_MAGIC_BYTE: 'no-magic-byte',
  TRUNCATED: 'truncated',
  TRAILING_BYTES: 'trailing-bytes',
  MALFORMED: 'malformed',
  NOT_AN_ALERT_SCHEMA: 'not-an-alert-schema',
};

export class RecordFolder implements FoldSink {
  readonly #fold: PartitionFold;
  readonly #schemas: AlertSchemas;
  readonly #topic: string;
  readonly #partition: number;
  /** The alert that is being decided: one object for all, as this runs for each record. */
  readonly #seen: SeenAlert;
  /** False while a state is rebuilt: the same fold, but nothing goes out. */
  #emit = false;
  /** In output order; the owner takes them with `takeOutputs`. */
  #outputs: OutputRecord[] = [];
  #counts = noCounts();

  constructor(options: RecordFolderOptions) {
    this.#fold = options.fold;
    this.#schemas = options.schemas;
    this.#topic = options.topic;
    this.#partition = options.partition;
    this.#seen = new SeenAlert(options.partition);
  }

  /** The state is rebuilt: from here on what the fold decides goes out. */
  goLive(): void {
    this.takeOutputs();
    this.#emit = true;
  }

  get outputCount(): number {
    return this.#outputs.length;
  }

  /** What was collected since the last call. */
  takeOutputs(): { outputs: OutputRecord[]; counts: FoldCounts } {
    const taken = { outputs: this.#outputs, counts: this.#counts };
    this.#outputs = [];
    this.#counts = noCounts();
    return taken;
  }

  foldAll(records: RawRecords, limits: Limits): FoldResult {
    let folded = 0;
    let missingSchema: number | undefined;
    for (; folded < records.length; folded++) {
      missingSchema = this.#foldOne(records, folded, limits);
      if (missingSchema !== undefined) break;
    }
    this.#seen.forget();
    return { folded, missingSchema };
  }

  /** The schemas that must be fetched before these records can be folded, each once. */
  missingSchemas(records: RawRecords): number[] {
    const ids = new Set<number>();
    for (let index = 0; index < records.length; index++) {
      const read = records.valueFrom(index) < 0 ? undefined : this.#read(records, index);
      if (typeof read === 'number') ids.add(read);
    }
    this.#seen.forget();
    return [...ids];
  }

  /** Time passes on an idle partition: what became due is reported. */
  advance(toMicros: number): void {
    this.#fold.advance(toMicros, this);
  }

  throttlingOff(): void {
    this.#fold.throttlingOff(this);
  }

  threshold(event: IntervalEvent): void {
    this.#counts.thresholds += 1;
    this.#emitAlert(event, thresholdAlert);
  }

  ended(event: IntervalEvent): void {
    this.#counts.thresholdsEnded += 1;
    this.#emitAlert(event, thresholdEndedAlert);
  }

  #emitAlert(event: IntervalEvent, toAlert: (event: IntervalEvent) => Alert): void {
    if (!this.#emit) return;
    this.#outputs.push({
      topic: 'throttled',
      key: Buffer.from(event.containerKey),
      value: this.#schemas.encode(toAlert(event)),
      headers: undefined,
      timestampMs: Math.floor(this.#fold.timeMicros / 1000),
    });
  }

  /** Returns the id of a schema that must be fetched first; the record was not touched then. */
  #foldOne(records: RawRecords, index: number, limits: Limits): number | undefined {
    if (records.valueFrom(index) < 0) {
      this.#tombstone(records, index);
      return undefined;
    }
    const read = this.#read(records, index);
    if (typeof read === 'number') return read;
    this.#fold.advance(appendTimeMicros(records.appendMs(index)), this);
    this.#counts.in += 1;
    if (read !== undefined) this.#poison(records.record(index), read);
    else this.#alert(records, index, limits);
    return undefined;
  }

  /** Undefined for an alert, which `#seen` then is; else why the record is none, or the id of the schema to fetch. */
  #read(records: RawRecords, index: number): Poison | number | undefined {
    const large = tooLarge(records, index);
    if (large !== undefined) return large;
    const keyFrom = records.keyFrom(index);
    if (keyFrom < 0) return { reason: 'no-key', detail: 'an alert needs its container id as the key' };
    const [bytes, from, to] = [records.bytes(index), records.valueFrom(index), records.valueTo(index)];
    try {
      const reader = this.#schemas.reader(bytes, from, to);
      if (reader === undefined) {
        const id = schemaIdOf(bytes, from, to);
        if (!this.#schemas.isUnknown(id)) return id;
        return { reason: 'unknown-schema', detail: `the registry has no schema ${id}` };
      }
      const leading = reader.leading(bytes, from, to);
      const expected = containerKey(leading);
      if (!reader.hasKey(bytes, keyFrom, records.keyTo(index))) {
        return { reason: 'key-mismatch', detail: `the key of this alert must be ${expected}` };
      }
      this.#seen.set(reader, records, index, leading, expected);
      return undefined;
    } catch (error) {
      if (!(error instanceof AlertFormatError)) throw error;
      return { reason: REASON_OF_CODE[error.code], detail: error.message };
    }
  }

  #alert(records: RawRecords, index: number, limits: Limits): void {
    const { leading } = this.#seen;
    if (this.#fold.isRepeat(leading.NodeID, leading.BootID, leading.Sequence)) {
      this.#counts.repeats += 1;
      return;
    }
    if (isEligible(leading)) {
      const decision = this.#decide(records, index, limits);
      if (decision === undefined) return;
      if (decision !== 'passed') {
        this.#counts.dropped += 1;
        return;
      }
    }
    this.#counts.passed += 1;
    if (this.#emit) this.#forward(records.record(index));
  }

  /** Undefined for an alert that is needed whole and turns out not to be: a dead letter. */
  #decide(records: RawRecords, index: number, limits: Limits): Decision | undefined {
    try {
      return this.#fold.alert(this.#seen, limits, this);
    } catch (error) {
      if (!(error instanceof AlertFormatError)) throw error;
      this.#poison(records.record(index), { reason: REASON_OF_CODE[error.code], detail: error.message });
      return undefined;
    }
  }

  #tombstone(records: RawRecords, index: number): void {
    const record = records.record(index);
    this.#fold.advance(appendTimeMicros(record.appendMs), this);
    this.#counts.in += 1;
    if (record.key === null) {
      this.#poison(record, { reason: 'no-key', detail: 'a tombstone needs the container id as its key' });
      return;
    }
    const large = tooLarge(records, index);
    if (large !== undefined) {
      this.#poison(record, large);
      return;
    }
    const identity = tombstoneIdentity(record.headers);
    if (this.#fold.isRepeat(identity.nodeID, identity.bootID, identity.sequence)) {
      this.#counts.repeats += 1;
      return;
    }
    this.#fold.remove(record.key.toString(), this);
    this.#counts.tombstones += 1;
    if (this.#emit) this.#forward(record);
  }

  #forward(record: RawRecord): void {
    this.#outputs.push({
      topic: 'throttled',
      key: record.key,
      value: record.value,
      headers: record.headers,
      timestampMs: record.appendMs,
    });
  }

  #poison(record: RawRecord, poison: Poison): void {
    this.#counts.deadLetters.set(poison.reason, (this.#counts.deadLetters.get(poison.reason) ?? 0) + 1);
    if (this.#emit) this.#outputs.push(deadLetter(record, poison, this.#topic, this.#partition));
  }
}

/** The producer numbers its tombstones too; as they have no value, the numbers stand in headers. */
function tombstoneIdentity(headers: IHeaders | undefined): {
  nodeID: string;
  bootID: string;
  sequence: number;
} {
  const text = (name: string): string => {
    const value = headers?.[name];
    return value === undefined || Array.isArray(value) ? '' : value.toString();
  };
  const sequence = Number(text('Sequence'));
  return {
    nodeID: text('NodeID'),
    bootID: text('BootID'),
    sequence: Number.isSafeInteger(sequence) ? sequence : 0,
  };
}
