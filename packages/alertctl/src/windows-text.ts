// How `alertctl windows` shows what it found: a table of containers, a table of partitions; or JSON.
import { limitsVersion, type IntervalField, type WindowField } from '@alert-throttle/throttle';
import type { Checkpoint } from './checkpoint.ts';
import { duration, plural, shortContainer, table, utc } from './text.ts';
import type { PartitionView, WindowsView } from './windows.ts';

const MICROS_PER_MS = 1_000;
const SHOWN_POLICIES = 3;

/** The end is past, the report is yet to come. */
const OVER = 'over';

interface Row {
  readonly window: WindowField;
  readonly partition: number;
}

export function windowsText(view: WindowsView, all: boolean): string {
  const rows = rowsOf(view);
  const parts: string[] = [];
  if (rows.length === 0) parts.push(all ? 'no windows' : 'no container is throttled');
  else parts.push(containerTable(rows, view.nowMs));
  if (rows.some(({ window: { interval } }) => interval && stateOf(interval, view.nowMs) === OVER))
    parts.push(`${OVER}: the interval has ended; it is reported once nothing of it can still arrive`);
  const leftOut = sum(view.partitions, ({ checkpoint }) => checkpoint?.leftOut ?? 0);
  if (leftOut > 0) parts.push(`and ${leftOut} more (--limit)`);
  parts.push('', partitionTable(view));
  for (const { checkpoint } of view.partitions)
    for (const problem of checkpoint?.unreadable ?? []) parts.push(`unreadable: ${problem}`);
  return parts.join('\n');
}

/** The open intervals first, those with the most drops before the others; then the quiet ones, latest first. */
function rowsOf({ partitions }: WindowsView): Row[] {
  const rows = partitions.flatMap(({ partition, checkpoint }) =>
    (checkpoint?.windows ?? []).map((window) => ({ window, partition })),
  );
  return rows.sort(
    (left, right) => rank(right) - rank(left) || right.window.lastMicros - left.window.lastMicros,
  );
}

/** 0 for a window without anything to report. */
function rank({ window: { interval } }: Row): number {
  return interval && interval.dropped > 0 ? interval.dropped : 0;
}

function containerTable(rows: readonly Row[], nowMs: number): string {
  const heading = ['CONTAINER', 'POD', 'STATE', 'SINCE', 'UNTIL', 'REMAINING', 'DROPPED', 'POLICIES'];
  return table(
    heading,
    rows.map(({ window }) => {
      const { containerKey, interval } = window;
      const name = shortContainer(containerKey);
      if (!interval) {
        const passed = `${window.passed} passed`;
        return [name, '', `open, ${passed}`, utc(window.openedAtMicros), '', '', '', ''];
      }
      return [
        name,
        podOf(interval),
        stateOf(interval, nowMs),
        utc(interval.crossedAtMicros),
        utc(interval.throttledUntilMicros),
        remaining(interval, nowMs),
        String(interval.dropped),
        policiesOf(interval),
      ];
    }),
  );
}

function secondsLeft(interval: IntervalField, nowMs: number): number {
  return interval.throttledUntilMicros / MICROS_PER_MS / 1_000 - nowMs / 1_000;
}

function stateOf(interval: IntervalField, nowMs: number): string {
  if (interval.reported) return interval.dropped > 0 ? 'late alerts' : 'reported';
  return secondsLeft(interval, nowMs) > 0 ? 'throttled' : OVER;
}

function remaining(interval: IntervalField, nowMs: number): string {
  const left = secondsLeft(interval, nowMs);
  return left > 0 ? duration(Math.ceil(left)) : '-';
}

function podOf({ identity }: IntervalField): string {
  if (identity.PodName !== '') return `${identity.NamespaceName}/${identity.PodName}`;
  return identity.ContainerName === '' ? identity.HostName : identity.ContainerName;
}

function policiesOf({ droppedByPolicy: { names, other } }: IntervalField): string {
  const sorted = [...names].sort((left, right) => right.Alerts - left.Alerts);
  const shown = sorted
    .slice(0, SHOWN_POLICIES)
    .map(({ Name, Alerts }) => `${Name === '' ? '(none)' : Name} ${Alerts}`);
  const rest = sum(sorted.slice(SHOWN_POLICIES), ({ Alerts }) => Alerts) + other;
  return [...shown, ...(rest > 0 ? [`others ${rest}`] : [])].join(', ');
}

function partitionTable(view: WindowsView): string {
  if (view.partitions.length === 0)
    return `no checkpoint of group ${view.group} and topic ${view.topic} in Redis`;
  return table(
    ['PARTITION', 'THROTTLED', 'CHECKPOINT', 'OFFSET', 'BEHIND THE COMMIT', 'NOT READ YET'],
    view.partitions.map((one) => [
      String(one.partition),
      one.checkpoint ? String(one.checkpoint.throttledCount) : '',
      ageText(one.checkpoint, view.nowMs),
      one.checkpoint?.offset === undefined ? '' : String(one.checkpoint.offset),
      behindText(one),
      unreadText(one),
    ]),
  );
}

function ageText(checkpoint: Checkpoint | undefined, nowMs: number): string {
  if (!checkpoint) return 'none';
  const age = ageSeconds(checkpoint, nowMs);
  return age === undefined ? 'of unknown age' : `${duration(age)} old`;
}

function ageSeconds({ updatedAtMs }: Checkpoint, nowMs: number): number | undefined {
  if (updatedAtMs === undefined || Number.isNaN(updatedAtMs)) return undefined;
  return Math.max(0, (nowMs - updatedAtMs) / 1_000);
}

function behind({ checkpoint, offsets }: PartitionView): number | undefined {
  if (checkpoint?.offset === undefined || offsets?.committed === undefined) return undefined;
  return offsets.committed - checkpoint.offset;
}

function behindText(one: PartitionView): string {
  const records = behind(one);
  if (records === undefined)
    return one.offsets && one.offsets.committed === undefined ? 'no commit yet' : '?';
  if (records === 0) return 'up to date';
  return records > 0 ? plural(records, 'record') : `${-records} AHEAD`;
}

function unreadText({ offsets }: PartitionView): string {
  if (!offsets) return '?';
  return plural(Math.max(0, offsets.end - (offsets.committed ?? 0)), 'record');
}

export function windowsJson(view: WindowsView): Record<string, unknown> {
  return {
    group: view.group,
    topic: view.topic,
    at: new Date(view.nowMs).toISOString(),
    kafka: view.kafkaProblem === undefined ? { ok: true } : { ok: false, problem: view.kafkaProblem },
    windows: rowsOf(view).map((row) => windowJson(row, view.nowMs)),
    partitions: view.partitions.map((one) => ({
      partition: one.partition,
      checkpoint: one.checkpoint ? checkpointJson(one.checkpoint, view.nowMs) : null,
      committedOffset: one.offsets?.committed ?? null,
      logEndOffset: one.offsets?.end ?? null,
      behindCommit: behind(one) ?? null,
    })),
  };
}

function checkpointJson(checkpoint: Checkpoint, nowMs: number): Record<string, unknown> {
  const { head, throttledCount, leftOut, unreadable } = checkpoint;
  const ageSec = ageSeconds(checkpoint, nowMs);
  return {
    ...head,
    offset: checkpoint.offset ?? null,
    ageSec: ageSec ?? null,
    throttled: throttledCount,
    leftOut,
    unreadable,
  };
}

function windowJson({ window, partition }: Row, nowMs: number): Record<string, unknown> {
  const { profile, containerKey, interval, passed } = window;
  const base = {
    container: containerKey,
    partition,
    profile,
    passed,
    openedAt: iso(window.openedAtMicros),
    lastAlert: iso(window.lastMicros),
  };
  if (!interval) return { ...base, state: 'open' };
  return {
    ...base,
    state: stateOf(interval, nowMs),
    throttledSince: iso(interval.crossedAtMicros),
    throttledUntil: iso(interval.throttledUntilMicros),
    remainingSec: Math.max(0, secondsLeft(interval, nowMs)),
    dropped: interval.dropped,
    reported: interval.reported,
    limits: {
      maxAlertPerSec: interval.maxAlertPerSec,
      throttleSec: interval.throttleSec,
      version: limitsVersion({ alertThrottling: true, ...interval }),
    },
    droppedByPolicy: Object.fromEntries(
      interval.droppedByPolicy.names.map(({ Name, Alerts }) => [Name, Alerts]),
    ),
    droppedByOperation: Object.fromEntries(
      interval.droppedByOperation.names.map(({ Name, Alerts }) => [Name, Alerts]),
    ),
    droppedByOtherPolicies: interval.droppedByPolicy.other,
    droppedByOtherOperations: interval.droppedByOperation.other,
    firstDropped: interval.firstDropped,
    lastDropped: interval.lastDropped,
    trigger: interval.trigger,
    identity: interval.identity,
  };
}

function iso(micros: number): string | null {
  return micros === 0 ? null : new Date(Math.floor(micros / MICROS_PER_MS)).toISOString();
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
