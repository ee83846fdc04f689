// What became of every alert that a producer was given: it is in the raw topic, or its loss is announced there.
import { feedAlert } from './kubearmor-json.ts';
import { NODE_ID, withoutRepeats, type RawRecord } from './producer-run.ts';

const CONTAINERS = 7;
const BEGIN_MS = Date.UTC(2026, 0, 1);
/** Of one container some pass and some do not, at three a second. */
const SPACING_MS = 20;

/** Alerts of seven containers in turn; the message is the alert's number. */
export function numberedAlerts(from: number, count: number, nodeId = NODE_ID): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) => {
    const number = from + index;
    const atMs = BEGIN_MS + number * SPACING_MS;
    return feedAlert({
      ContainerID: String(number % CONTAINERS).padStart(64, 'c'),
      NodeID: nodeId,
      Message: String(number),
      Timestamp: Math.floor(atMs / 1000),
      UpdatedTime: new Date(atMs).toISOString(),
    });
  });
}

export interface Fates {
  /** In words, what is wrong; empty where nothing is. */
  readonly problems: readonly string[];
  /** Records that the topic has a second time. */
  readonly repeats: number;
  readonly lost: number;
  readonly announcements: number;
}

/**
 * One producer's records, of one life of its spool, and how many alerts it was given, numbered from 1. Numbers are walked
 * from 1 to the last: each is that of an alert, of a loss that is announced, or of an announcement, and the alerts are
 * those that were given, in that order, each partition by itself in order as well.
 */
export function fatesOf(records: readonly RawRecord[], given: number): Fates {
  const problems: string[] = [];
  const seen = withoutRepeats(records);
  const firstOf = new Map<number, RawRecord>();
  for (const record of records) {
    const first = firstOf.get(record.sequence) ?? record;
    firstOf.set(record.sequence, first);
    if (textOf(first) !== textOf(record))
      problems.push(`${record.sequence} is the number of ${textOf(first)} and of ${textOf(record)}`);
  }
  const bySequence = new Map<number, RawRecord>();
  for (const record of seen) {
    if (bySequence.has(record.sequence)) problems.push(`${record.sequence} is in two partitions`);
    bySequence.set(record.sequence, record);
  }
  if (new Set(records.map(({ nodeId, bootId }) => `${nodeId}/${bootId}`)).size !== 1)
    problems.push('not all records are of one life of one spool');

  const events = seen.flatMap(({ alert }) => (alert?.Lost ? [alert.Lost] : []));
  for (const { First, Last, LostAlerts, Counter } of events)
    if (LostAlerts !== Last - First + 1 || Counter !== 'sequence')
      problems.push(`announced: ${LostAlerts} lost from ${First} to ${Last} of ${Counter}`);
  const isLost = lostNumbers(events, problems);

  let next = 1;
  const last = Math.max(0, ...[...bySequence.keys()]);
  for (let sequence = 1; sequence <= last; sequence++) {
    const record = bySequence.get(sequence);
    if (isLost.has(sequence)) {
      if (record !== undefined) problems.push(`${sequence} is announced as lost, and is there`);
      next += 1;
    } else if (record === undefined) problems.push(`${sequence} is neither there nor announced as lost`);
    else if (record.alert?.Lost == null) {
      if (record.alert?.Message !== String(next))
        problems.push(`${sequence} is ${textOf(record)}, not alert ${next}`);
      next += 1;
    }
  }
  if (next - 1 !== given) problems.push(`the fate of ${next - 1} alerts is known, but ${given} were given`);
  return {
    problems: problems.slice(0, 10),
    repeats: records.length - seen.length,
    lost: isLost.size,
    announcements: events.length,
  };
}

function lostNumbers(
  events: readonly { readonly First: number; readonly Last: number }[],
  problems: string[],
): ReadonlySet<number> {
  const lost = new Set<number>();
  for (const { First, Last } of events) {
    for (let number = First; number <= Last; number++) {
      if (lost.has(number)) problems.push(`${number} is announced as lost twice`);
      lost.add(number);
    }
  }
  return lost;
}

function textOf({ alert }: RawRecord): string {
  return alert === undefined ? 'a tombstone' : `${alert.Operation} ${alert.Message}`;
}
