/**
 * How the fold's state reads in the checkpoint, for people as much as for the fold:
 *
 *   default/<container key>    passed=3 opened=<time> last=<time> seen=<time>       a quiet window
 *   default/<container key>    {"throttledUntil":"<time>","crossedAt":...}          one in an interval
 *   @sequence/<node>/<boot>    123 seen=<time>                                      highest sequence number
 *
 * Times are ISO 8601 UTC with microseconds. Other fields that begin with `@` are not the fold's.
 */
import type { Hash64 } from './hash64.ts';
import type { LogPosition, NameCount } from './interval-event.ts';
import { JsonReader, JsonShapeError } from './json-reader.ts';
import { LIMITS_RANGE } from './limits.ts';
import type { NameCounters } from './name-counters.ts';
import { Interval } from './interval.ts';
import type { PartitionWindow } from './partition-window.ts';
import { SequenceEntry } from './sequence-table.ts';
import { formatMicros, parseMicros } from './time-text.ts';

const SEQUENCE_PREFIX = '@sequence/';
const QUIET = /^passed=(\d{1,9}) opened=(\S+) last=(\S+) seen=(\S+)$/;
/** Nine digits: the limit that alerts passed under has fewer. */
const MAX_PASSED = 999_999_999;
const SEQUENCE = /^(\d{1,16}) seen=(\S+)$/;

/** A field of the checkpoint that cannot be read: the checkpoint is useless, and its owner folds the log instead. */
export class CheckpointFormatError extends Error {
  override readonly name = 'CheckpointFormatError';
  readonly code = 'MALFORMED_CHECKPOINT_FIELD';
  readonly field: string;

  constructor(field: string, problem: string, options?: ErrorOptions) {
    super(`checkpoint field ${field}: ${problem}`, options);
    this.field = field;
  }
}

/** What a window's field says. */
export interface WindowField {
  readonly profile: string;
  readonly containerKey: string;
  readonly passed: number;
  readonly openedAtMicros: number;
  readonly lastMicros: number;
  /** The partition's time at the container's latest eligible alert. */
  readonly seenAtMicros: number;
  /** Undefined for a quiet window. */
  readonly interval: IntervalField | undefined;
}

export interface IntervalField extends IntervalDetails {
  readonly throttledUntilMicros: number;
  readonly crossedAtMicros: number;
  /** Alerts dropped and not reported yet. */
  readonly dropped: number;
  /** The interval was reported: `dropped` counts what came late. */
  readonly reported: boolean;
  /** When the report is due, in the partition's time; 0 if nothing is to be reported. */
  readonly dueMicros: number;
  readonly droppedByPolicy: CountsField;
  readonly droppedByOperation: CountsField;
  readonly firstDropped: LogPosition | null;
  readonly lastDropped: LogPosition | null;
  /** As in force at the crossing. */
  readonly maxAlertPerSec: number;
  readonly throttleSec: number;
}

type IntervalDetails = Interval['details'];

/** Names in the order in which they came; `other` counts those that got no counter of their own. */
export interface CountsField {
  readonly names: readonly NameCount[];
  readonly other: number;
}

export function fieldOf(profile: string, containerKey: string): string {
  return `${profile}/${containerKey}`;
}

export function formatWindow(window: PartitionWindow): string {
  const { interval } = window;
  if (interval !== undefined) return formatThrottled(window, interval);
  const { passed, openedAtMicros, lastMicros, seenAtMicros } = window;
  return `passed=${passed} opened=${formatMicros(openedAtMicros)} last=${formatMicros(lastMicros)} seen=${formatMicros(seenAtMicros)}`;
}

function formatThrottled(window: PartitionWindow, interval: Interval): string {
  return JSON.stringify({
    throttledUntil: formatMicros(window.throttledUntilMicros),
    crossedAt: formatMicros(interval.startMicros),
    dropped: window.dropped,
    reported: interval.reported,
    ...(window.dropped > 0 && { due: formatMicros(interval.dueMicros) }),
    maxAlertPerSec: interval.maxAlertPerSec,
    throttleSec: interval.throttleSec,
    droppedByPolicy: pairs(interval.byPolicy),
    otherPolicies: interval.byPolicy.other,
    droppedByOperation: pairs(interval.byOperation),
    otherOperations: interval.byOperation.other,
    firstDropped: interval.firstDropped,
    lastDropped: interval.lastDropped,
    trigger: interval.details.trigger,
    container: interval.details.identity,
    passed: window.passed,
    opened: formatMicros(window.openedAtMicros),
    last: formatMicros(window.lastMicros),
    seen: formatMicros(window.seenAtMicros),
  });
}

/** Pairs and not an object, whose keys would change their order where a name looks like a number. */
function pairs(counters: NameCounters): [string, number][] {
  return counters.names.map((name, i) => [name, counters.counts[i] ?? 0]);
}

/** Reads a window's field; undefined if it is a field of another kind. Throws a CheckpointFormatError. */
export function parseWindowField(field: string, value: string): WindowField | undefined {
  if (field.startsWith('@')) return undefined;
  const slash = field.indexOf('/');
  if (slash < 1) throw new CheckpointFormatError(field, 'expected <profile>/<container key>');
  const names = { profile: field.slice(0, slash), containerKey: field.slice(slash + 1) };
  if (value.startsWith('{')) return { ...names, ...parseThrottled(field, value) };
  const [, passed, opened, last, seen] = QUIET.exec(value) ?? [];
  const openedAtMicros = parseMicros(opened ?? '');
  const lastMicros = parseMicros(last ?? '');
  const seenAtMicros = parseMicros(seen ?? '');
  if (openedAtMicros === undefined || lastMicros === undefined || seenAtMicros === undefined) {
    throw new CheckpointFormatError(field, 'expected passed=<number> opened=<time> last=<time> seen=<time>');
  }
  return { ...names, passed: Number(passed), openedAtMicros, lastMicros, seenAtMicros, interval: undefined };
}

function parseThrottled(field: string, value: string): Omit<WindowField, 'profile' | 'containerKey'> {
  try {
    const json = JsonReader.parse(value);
    const interval = readInterval(json);
    return {
      passed: json.at('passed').integer(0, MAX_PASSED),
      openedAtMicros: time(json.at('opened')),
      lastMicros: time(json.at('last')),
      seenAtMicros: time(json.at('seen')),
      interval,
    };
  } catch (cause) {
    if (cause instanceof JsonShapeError) throw new CheckpointFormatError(field, cause.message, { cause });
    throw cause;
  }
}

function readInterval(json: JsonReader): IntervalField {
  const dropped = json.at('dropped').integer();
  const container = json.at('container');
  const trigger = json.at('trigger');
  return {
    throttledUntilMicros: time(json.at('throttledUntil')),
    crossedAtMicros: time(json.at('crossedAt')),
    dropped,
    reported: json.at('reported').flag(),
    dueMicros: dropped > 0 ? time(json.at('due')) : 0,
    droppedByPolicy: {
      names: json.at('droppedByPolicy').list().map(nameCount),
      other: json.at('otherPolicies').integer(),
    },
    droppedByOperation: {
      names: json.at('droppedByOperation').list().map(nameCount),
      other: json.at('otherOperations').integer(),
    },
    firstDropped: json.at('firstDropped').nullable(position),
    lastDropped: json.at('lastDropped').nullable(position),
    maxAlertPerSec: json.at('maxAlertPerSec').integer(...LIMITS_RANGE.maxAlertPerSec),
    throttleSec: json.at('throttleSec').integer(...LIMITS_RANGE.throttleSec),
    trigger: {
      Operation: trigger.at('Operation').text(),
      PolicyName: trigger.at('PolicyName').text(),
      Source: trigger.at('Source').text(),
      Resource: trigger.at('Resource').text(),
    },
    identity: {
      ClusterName: container.at('ClusterName').text(),
      HostName: container.at('HostName').text(),
      NodeID: container.at('NodeID').text(),
      NamespaceName: container.at('NamespaceName').text(),
      PodName: container.at('PodName').text(),
      Labels: container.at('Labels').text(),
      ContainerName: container.at('ContainerName').text(),
      ContainerID: container.at('ContainerID').text(),
      ContainerImage: container.at('ContainerImage').text(),
      Owner: container.at('Owner').nullable((owner) => ({
        Ref: owner.at('Ref').text(),
        Name: owner.at('Name').text(),
        Namespace: owner.at('Namespace').text(),
      })),
    },
  };
}

function time(reader: JsonReader): number {
  const micros = parseMicros(reader.text());
  if (micros === undefined) throw new JsonShapeError(`${reader.path}: expected a time with microseconds`);
  return micros;
}

function nameCount(reader: JsonReader): NameCount {
  const [name, count, ...more] = reader.list();
  if (name === undefined || count === undefined || more.length > 0) {
    throw new JsonShapeError(`${reader.path}: expected [name, number]`);
  }
  return { Name: name.text(), Alerts: count.integer(1) };
}

function position(reader: JsonReader): LogPosition {
  return { Partition: reader.at('Partition').integer(), Offset: reader.at('Offset').integer() };
}

/** The fold's entry that a field stands for; undefined if the field is none of the fold's. */
export function parseField(
  field: string,
  value: string,
  profile: string,
  hash: Hash64,
): WindowField | SequenceEntry | undefined {
  if (field.startsWith(SEQUENCE_PREFIX)) return parseSequence(field, value, hash);
  const parsed = parseWindowField(field, value);
  if (parsed === undefined) return undefined;
  if (parsed.profile !== profile) throw new CheckpointFormatError(field, `not of profile ${profile}`);
  return parsed;
}

/** Makes a new window what its field says. */
export function fillWindow(window: PartitionWindow, parsed: WindowField): void {
  window.passed = parsed.passed;
  window.openedAtMicros = parsed.openedAtMicros;
  window.lastMicros = parsed.lastMicros;
  window.seenAtMicros = parsed.seenAtMicros;
  const saved = parsed.interval;
  if (saved === undefined) return;
  const { trigger, identity } = saved;
  const interval = new Interval(window, saved.crossedAtMicros, saved, { trigger, identity });
  interval.untilMicros = saved.throttledUntilMicros;
  interval.dropped = saved.dropped;
  interval.reported = saved.reported;
  interval.dueMicros = saved.dueMicros;
  interval.firstDropped = saved.firstDropped;
  interval.lastDropped = saved.lastDropped;
  fill(interval.byPolicy, saved.droppedByPolicy);
  fill(interval.byOperation, saved.droppedByOperation);
  window.interval = interval;
}

function fill(counters: NameCounters, saved: CountsField): void {
  counters.names = saved.names.map(({ Name }) => Name);
  counters.counts = saved.names.map(({ Alerts }) => Alerts);
  counters.other = saved.other;
}

/** A node's name may hold a slash, which ends it in the field; the boot id is the rest. */
export const formatSequence = {
  field: (entry: SequenceEntry): string =>
    `${SEQUENCE_PREFIX}${entry.nodeID.replaceAll('%', '%25').replaceAll('/', '%2F')}/${entry.bootID}`,
  value: (entry: SequenceEntry): string => `${entry.highest} seen=${formatMicros(entry.seenAtMicros)}`,
};

function parseSequence(field: string, value: string, hash: Hash64): SequenceEntry {
  const rest = field.slice(SEQUENCE_PREFIX.length);
  const slash = rest.indexOf('/');
  const [, highest, seen] = SEQUENCE.exec(value) ?? [];
  const seenAtMicros = parseMicros(seen ?? '');
  if (slash < 0 || seenAtMicros === undefined) {
    throw new CheckpointFormatError(field, 'expected @sequence/<node>/<boot> and <number> seen=<time>');
  }
  const node = rest.slice(0, slash).replaceAll('%2F', '/').replaceAll('%25', '%');
  return new SequenceEntry(node, rest.slice(slash + 1), Number(highest), seenAtMicros, hash);
}
