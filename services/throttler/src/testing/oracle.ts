// The oracle of the integration and fault tests: what the pure core makes of a raw topic as it was logged,
// container by container, to be compared with what a read_committed consumer sees on the throttled topic.

import { type Alert, type AlertCodec, containerKey, isEligible } from '@alert-throttle/alert';
import {
  appendTimeMicros,
  crossingDetails,
  type FoldSink,
  type IntervalEvent,
  type Limits,
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
}

/** What one record is, apart from where it lies: equal texts are the same record. */
export function identityOf(alert: Alert): string {
  if (alert.Throttle !== null) {
    return `${alert.Operation} ${JSON.stringify({ ...alert.Throttle, at: alert.EventTimeMicros, pod: alert.PodName })}`;
  }
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
): Promise<Outcome> {
  const outcome: Outcome = new Map();
  const sink: FoldSink = {
    threshold: (event: IntervalEvent) =>
      add(outcome, event.containerKey, identityOf(thresholdAlert(event))),
    ended: (event: IntervalEvent) =>
      add(outcome, event.containerKey, identityOf(thresholdEndedAlert(event))),
  };
  const folds = new Map<number, PartitionFold>();
  for (const record of inLogOrder(records)) {
    const fold = folds.get(record.partition) ?? new PartitionFold();
    folds.set(record.partition, fold);
    fold.advance(appendTimeMicros(record.timestampMs), sink);
    const key = record.key?.toString() ?? '';
    if (record.value === null) {
      fold.remove(key, sink);
      add(outcome, key, 'tombstone');
      continue;
    }
    const alert = await codec.decode(record.value);
    if (fold.isRepeat(alert.NodeID, alert.BootID, alert.Sequence)) continue;
    if (isEligible(alert)) {
      const decision = fold.alert(
        {
          containerKey: containerKey(alert),
          eventTimeMicros: alert.EventTimeMicros,
          policy: alert.PolicyName,
          operation: alert.Operation,
          partition: record.partition,
          offset: record.offset,
          details: () => crossingDetails(alert),
        },
        limits,
        sink,
      );
      if (decision !== 'passed') continue;
    }
    add(outcome, key, identityOf(alert));
  }
  for (const fold of folds.values()) fold.advance(Number.MAX_SAFE_INTEGER, sink);
  return outcome;
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
