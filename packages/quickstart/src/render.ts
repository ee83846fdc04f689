// The view as text: table, status line, event blocks. Pure, so that a test can look at exactly what a user sees.
import { formatAlert, type Alert } from '@alert-throttle/alert';
import Table from 'cli-table3';
import type { Stage } from './completion.ts';
import { droppedSoFar, topRows, totalsOf } from './totals.ts';
import { MAX_CONTAINERS, nameOf, type Notice, type OpenInterval, type ViewState } from './view-model.ts';

export interface TableOptions {
  /** Wall clock, Unix milliseconds. */
  readonly nowMs: number;
  /** Columns of the terminal. */
  readonly width: number;
  /** Rows of containers at most. */
  readonly maxRows: number;
}

const MIN_NAME = 20;
const SHORTEST_LAST = 16;
const NUMBER_WIDTHS = { seen: 9, passed: 9, dropped: 9, until: 20 } as const;
/** Blanks around a cell's content. */
const PADDING = 2;
/** Columns that the lines of the table take. */
const BORDERS = 7;
/** The containers that matter most, one line each. */
export function renderTable(state: ViewState, options: TableOptions): string {
  const { nameWidth, lastWidth } = widths(options);
  const withLast = lastWidth > 0;
  const table = new Table({
    head: ['container', 'seen', 'passed', 'dropped', 'throttled until', ...(withLast ? ['last alert'] : [])],
    colWidths: [nameWidth, ...Object.values(NUMBER_WIDTHS), ...(withLast ? [lastWidth] : [])],
    colAligns: ['left', 'right', 'right', 'right', 'left', 'left'],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [] },
  });
  for (const row of topRows(state, options.maxRows)) {
    table.push([
      shorten(row.deleted ? `${row.name} (deleted)` : row.name, nameWidth - PADDING),
      row.seen,
      row.passed,
      droppedSoFar(row),
      untilText(row.interval, options.nowMs),
      ...(withLast ? [shorten(row.last, lastWidth - PADDING)] : []),
    ]);
  }
  return [trimmed(table.toString()), ...hiddenRows(state, options.maxRows)].join('\n');
}

/** The name takes what the numbers leave; the last alert is shown where there is room for a useful part of it. */
function widths({ width }: TableOptions): { nameWidth: number; lastWidth: number } {
  const fixed = Object.values(NUMBER_WIDTHS).reduce((sum, one) => sum + one, 0);
  const room = width - 1 - fixed - BORDERS;
  const lastWidth = Math.floor(room * 0.4) - PADDING;
  if (lastWidth < SHORTEST_LAST) return { nameWidth: Math.max(MIN_NAME, room), lastWidth: 0 };
  return { nameWidth: room - lastWidth, lastWidth };
}

function hiddenRows(state: ViewState, shown: number): string[] {
  const hidden = state.rows.size - shown;
  const lines = hidden > 0 ? [`and ${hidden} more containers`] : [];
  if (state.others.seen > 0)
    lines.push(
      `beyond the first ${MAX_CONTAINERS} containers: ${state.others.seen} seen, ${state.others.passed} passed`,
    );
  return lines;
}

function untilText(interval: OpenInterval | undefined, nowMs: number): string {
  if (!interval) return '';
  const leftMs = interval.endMicros / 1000 - nowMs;
  if (leftMs > 0) return `${clock(interval.endMicros / 1000)} (${seconds(leftMs)})`;
  const dueMs = interval.dueMicros / 1000 - nowMs;
  return dueMs > 0 ? `report in ${seconds(dueMs)}` : 'report is due';
}

/** What goes on, in one line. */
export function statusLine(state: ViewState, stage: Stage, nowMs: number): string {
  const totals = totalsOf(state);
  let dropped = state.others.reported;
  for (const row of state.rows.values()) dropped += droppedSoFar(row);
  const containers = totals.containers === 1 ? 'container' : 'containers';
  const counts = `${totals.containers} ${containers}, ${totals.seen} seen, ${totals.passed} passed, ${dropped} dropped`;
  return `${counts}; ${stageText(stage, totals, nowMs)}`;
}

function stageText(stage: Stage, totals: ReturnType<typeof totalsOf>, nowMs: number): string {
  switch (stage) {
    case 'producing':
      return 'alerts are coming in';
    case 'throttling':
      return 'all alerts are in Kafka, the throttler goes on';
    case 'reading':
      return 'reading what came through';
    case 'waitingForReports':
      return `everything came through; ${countdown(totals, nowMs)}`;
    case 'reconciling':
      return 'everything came through; the counts do not add up yet, a report of late alerts may still come';
    case 'done':
      return 'everything came through, every interval was reported';
  }
}

function countdown(
  { open, nextDueMicros, lastDueMicros }: ReturnType<typeof totalsOf>,
  nowMs: number,
): string {
  const intervals = open === 1 ? '1 interval is open' : `${open} intervals are open`;
  if (nextDueMicros === undefined || lastDueMicros === undefined) return intervals;
  const left = nextDueMicros / 1000 - nowMs;
  if (left <= 0) return `${intervals}, its report is due now`;
  const last = open === 1 ? '' : `, the last in ${seconds(lastDueMicros / 1000 - nowMs)}`;
  return `${intervals}, the next report in ${seconds(left)}${last}`;
}

/** An event as a block of its own: the record as text below a headline. */
export function noticeBlock(notice: Notice): string {
  return `\n${noticeLine(notice)}\n${indented(formatAlert(notice.alert))}\n`;
}

/** The same in one line. */
export function noticeLine({ kind, alert }: Notice): string {
  const name = nameOf(alert);
  const dropped = alert.Throttle?.DroppedAlerts ?? 0;
  switch (kind) {
    case 'threshold':
      return `AlertThreshold: ${name} crossed ${alert.MaxAlertsPerSec} alerts per second, silent for ${alert.DroppingAlertsInterval} s`;
    case 'ended':
      return `AlertThresholdEnded: ${name}, ${dropped} ${alert.Throttle?.Late === true ? 'late ' : ''}${dropped === 1 ? 'alert' : 'alerts'} dropped${byWhom(alert)}`;
    case 'lost':
      return `AlertsLost: ${name}, ${alert.Lost?.LostAlerts ?? 'some'} alerts lost${alert.Lost ? ` (${alert.Lost.Reason})` : ''}`;
  }
}

function byWhom(alert: Alert): string {
  const by = alert.Throttle?.DroppedByPolicy ?? [];
  const named = by.slice(0, 3).map(({ Name, Alerts }) => `${Alerts} by ${Name === '' ? 'no policy' : Name}`);
  return named.length === 0 ? '' : `: ${named.join(', ')}`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}

/** Keeps both ends of a name, since pods differ in their last characters and namespaces in their first. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const tail = Math.floor((width - 1) * 0.6);
  return `${text.slice(0, width - 1 - tail)}…${text.slice(text.length - tail)}`;
}

export function clock(atMs: number): string {
  return new Date(atMs).toTimeString().slice(0, 8);
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.ceil(ms / 1000))} s`;
}

function trimmed(text: string): string {
  return text.replaceAll(/[ ]+$/gm, '');
}
