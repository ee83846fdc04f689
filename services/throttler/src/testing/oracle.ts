// The oracle of the integration and fault tests: what the pure core makes of a raw topic as it was logged,
// container by container, to be compared with what a read_committed consumer sees on the throttled topic.

import { type Alert, type AlertCodec, containerKey, isEligible } from '@alert-throttle/alert';
import {
  appendTimeMicros,
  crossingDetails,
  type FoldSink,
  type IntervalEvent,
  type Limits,
  type LimitsChange,
  PartitionFold,
  thresholdAlert,
  thresholdEndedAlert,
} from '@alert-throttle/throttle';

/** A record of any topic, as a test reads it. */
export interface LoggedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer>>;
}

export interface OracleOptions {
  /** Limits by partition, oldest first, each from an offset on; where there are none, the limits given count. */
  readonly changes?: ReadonlyMap<number, readonly LimitsChange[]>;
  /** Records that are no alerts: time passes with them, and nothing else. */
  readonly isPoison?: (record: LoggedRecord) => boolean;
  /** To which time the partition is advanced after its last record; by default all time passes. */
  readonly endMicros?: (partition: number) => number;
}

/** What one record is, apart from where it lies: equal texts are the same record. */
export function identityOf(alert: Alert): string {
  if (alert.Throttle !== null) {
    return `${alert.Operation} ${JSON.stringify({ ...alert.Throttle, at: alert.EventTimeMicros, pod: alert.PodName })}`;
  }
  if (alert.Sequence === 0) return JSON.stringify(alert);
  return `${alert.NodeID}/${alert.BootID}/${alert.Sequence}`;
}

/** Identities in order, by container key; a tombstone is `tombstone`. */
export type Outcome = Map<string, string[]>;

export async function outcomeOf(records: readonly LoggedRecord[], codec: AlertCodec): Promise<Outcome> {
  const outcome: Outcome = new Map();
  for (const record of inLogOrder(records)) {
    const identity = record.value === null ? 'tombstone' : identityOf(await codec.decode(record.value));
    add(outcome, record.key?.toString() ?? '', identity);
  }
  return outcome;
}

/** Folds the raw topic with the pure core; at the end all time passes, so that every interval is reported. */
export async function expectedOutcome(
  records: readonly LoggedRecord[],
  codec: AlertCodec,
  limits: Limits,
  options: OracleOptions = {},
): Promise<Outcome> {
  return (await foldLog(records, codec, limits, options)).outcome;
}

/** The outcome, and the state of each partition that has records. */
export async function foldLog(
  records: readonly LoggedRecord[],
  codec: AlertCodec,
  limits: Limits,
  options: OracleOptions = {},
): Promise<{ outcome: Outcome; folds: Map<number, PartitionFold> }> {
  const outcome: Outcome = new Map();
  const sink: FoldSink = {
    threshold: (event: IntervalEvent) => add(outcome, event.containerKey, identityOf(thresholdAlert(event))),
    ended: (event: IntervalEvent) => add(outcome, event.containerKey, identityOf(thresholdEndedAlert(event))),
  };
  const folds = new Map<number, PartitionFold>();
  const inForce = new LimitsByOffset(limits, options.changes ?? new Map<number, LimitsChange[]>());
  for (const record of inLogOrder(records)) {
    const fold = folds.get(record.partition) ?? new PartitionFold();
    folds.set(record.partition, fold);
    if (inForce.turnedOffBefore(record)) fold.throttlingOff(sink);
    fold.advance(appendTimeMicros(record.timestampMs), sink);
    if (options.isPoison?.(record) === true) continue;
    const key = record.key?.toString() ?? '';
    if (record.value === null) {
      if (isRepeatedTombstone(fold, record)) continue;
      fold.remove(key, sink);
      add(outcome, key, 'tombstone');
      continue;
    }
    const alert = await codec.decode(record.value);
    if (fold.isRepeat(alert.NodeID, alert.BootID, alert.Sequence)) continue;
    if (isEligible(alert) && decided(fold, alert, record, inForce.at(record), sink) !== 'passed') continue;
    add(outcome, key, identityOf(alert));
  }
  for (const [partition, fold] of folds) {
    if (inForce.turnedOffAfter(partition)) fold.throttlingOff(sink);
    fold.advance(options.endMicros?.(partition) ?? Number.MAX_SAFE_INTEGER, sink);
  }
  return { outcome, folds };
}

function decided(
  fold: PartitionFold,
  alert: Alert,
  record: LoggedRecord,
  limits: Limits,
  sink: FoldSink,
): ReturnType<PartitionFold['alert']> {
  const seen = {
    containerKey: containerKey(alert),
    eventTimeMicros: alert.EventTimeMicros,
    policy: alert.PolicyName,
    operation: alert.Operation,
    partition: record.partition,
    offset: record.offset,
    details: () => crossingDetails(alert),
  };
  return fold.alert(seen, limits, sink);
}

/** A producer numbers its tombstones too; as they have no value, the numbers stand in headers. */
function isRepeatedTombstone(fold: PartitionFold, { headers = {} }: LoggedRecord): boolean {
  const sequence = Number(headers['Sequence']?.toString() ?? 0);
  return fold.isRepeat(headers['NodeID']?.toString() ?? '', headers['BootID']?.toString() ?? '', sequence);
}

/** Limits by offset, as the metadata of the committed offsets has them. */
class LimitsByOffset {
  readonly #limits: Limits;
  readonly #changes: ReadonlyMap<number, readonly LimitsChange[]>;
  /** How many of a partition's changes were seen so far. */
  readonly #seen = new Map<number, number>();

  constructor(limits: Limits, changes: ReadonlyMap<number, readonly LimitsChange[]>) {
    this.#limits = limits;
    this.#changes = changes;
  }

  at({ partition, offset }: LoggedRecord): Limits {
    return this.#changes.get(partition)?.findLast(({ from }) => from <= offset) ?? this.#limits;
  }

  /** Whether throttling was turned off since the record before this one. */
  turnedOffBefore({ partition, offset }: LoggedRecord): boolean {
    return this.#turnedOff(partition, ({ from }) => from <= offset);
  }

  turnedOffAfter(partition: number): boolean {
    return this.#turnedOff(partition, () => true);
  }

  #turnedOff(partition: number, isDue: (change: LimitsChange) => boolean): boolean {
    const changes = this.#changes.get(partition) ?? [];
    const seen = this.#seen.get(partition) ?? 0;
    const due = changes.slice(seen).filter(isDue);
    this.#seen.set(partition, seen + due.length);
    return due.some(({ alertThrottling }) => !alertThrottling);
  }
}

/** In words, what differs; empty where nothing does. */
export function differences(expected: Outcome, found: Outcome): string[] {
  const keys = new Set([...expected.keys(), ...found.keys()]);
  const problems: string[] = [];
  for (const key of keys) {
    const want = expected.get(key) ?? [];
    const have = found.get(key) ?? [];
    const at = want.findIndex((identity, index) => identity !== have[index]);
    const index = at === -1 ? want.length : at;
    if (at === -1 && want.length === have.length) continue;
    problems.push(
      `${key}: ${want.length} expected, ${have.length} found; first difference at ${index}: ` +
        `expected ${want[index] ?? 'nothing'}, found ${have[index] ?? 'nothing'}`,
    );
  }
  return problems;
}

function inLogOrder(records: readonly LoggedRecord[]): LoggedRecord[] {
  return [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function add(outcome: Outcome, key: string, identity: string): void {
  const list = outcome.get(key);
  if (list === undefined) outcome.set(key, [identity]);
  else list.push(identity);
}
