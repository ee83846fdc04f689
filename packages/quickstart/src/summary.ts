// What a run ends with: every count, whether they add up, and where to look next.
import Table from 'cli-table3';
import { droppedOf, mismatches, topRows, totalsOf } from './totals.ts';
import { MAX_CONTAINERS, type ViewState } from './view-model.ts';

const MAX_SUMMARY_ROWS = 30;
const MAX_MISMATCHES = 10;
const COMMAND_COLUMNS = 36;

export interface SummaryOptions {
  /** Everything came through and every interval was reported; false after Ctrl-C. */
  readonly complete: boolean;
  readonly alertThrottling: boolean;
}

export function renderSummary(state: ViewState, options: SummaryOptions): string {
  return [summaryTable(state), '', ...notes(state), verdict(state, options)].join('\n');
}

function summaryTable(state: ViewState): string {
  const table = new Table({
    head: ['container', 'seen', 'passed', 'dropped', 'AlertThreshold'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [] },
  });
  for (const row of topRows(state, MAX_SUMMARY_ROWS))
    table.push([
      row.deleted ? `${row.name} (deleted)` : row.name,
      row.seen,
      row.passed,
      droppedOf(row),
      row.thresholds,
    ]);
  const hidden = state.rows.size - MAX_SUMMARY_ROWS;
  if (hidden > 0) table.push([`and ${hidden} more, see the total`, '', '', '', '']);
  if (state.others.seen > 0)
    table.push([
      `beyond the first ${MAX_CONTAINERS}`,
      state.others.seen,
      state.others.passed,
      droppedOf(state.others),
      '',
    ]);
  const totals = totalsOf(state);
  table.push(['total', totals.seen, totals.passed, droppedOf(totals), state.thresholds]);
  return table.toString();
}

function notes(state: ViewState): string[] {
  return [
    ...note(state.deadLetters, 'went to the dead-letter topic (see the headers there for why)'),
    ...note(state.repeats, 'lay on the raw topic twice, and was decided once'),
    ...note(state.unreadable, 'of the raw topic could not be read as an alert'),
  ];
}

function note(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${count === 1 ? 'record' : 'records'} ${what}.`];
}

function verdict(state: ViewState, { complete, alertThrottling }: SummaryOptions): string {
  const totals = totalsOf(state);
  const dropped = droppedOf(totals);
  if (!complete) {
    const open = totals.open === 1 ? '1 interval was' : `${totals.open} intervals were`;
    return `Stopped before the end: alerts may still be on their way, ${open} not reported yet.`;
  }
  const wrong = mismatches(state);
  if (wrong.length > 0)
    return [
      'THE COUNTS DO NOT ADD UP:',
      ...wrong.slice(0, MAX_MISMATCHES).map((line) => `  ${line}`),
      ...(wrong.length > MAX_MISMATCHES ? [`  and ${wrong.length - MAX_MISMATCHES} more`] : []),
    ].join('\n');
  const sum = `${totals.seen} seen = ${totals.passed} passed + ${dropped} dropped`;
  if (!alertThrottling) return `The counts add up: ${sum}. Throttling is off (ALERT_THROTTLING=false).`;
  return `The counts add up: ${sum}, and AlertThresholdEnded reported ${totals.reported}.`;
}

export interface NextSteps {
  /** The stack goes on after this run. */
  readonly stackGoesOn: boolean;
  /** The stack belongs to somebody else: the addresses came from the environment. */
  readonly external: boolean;
  readonly group: string;
  readonly rawTopic: string;
  /** One that has something to show. */
  readonly partition: number;
  readonly envFile: string;
  readonly logs: string;
}

/** Commands that show more, ready to be pasted. */
export function renderNextSteps(steps: NextSteps): string {
  const key = `throttle:{${steps.group}/${steps.rawTopic}/${steps.partition}}`;
  const rows: [command: string, what: string][] = [
    ['npm run alertctl -- windows', 'who is throttled, until when, how many were dropped'],
    ['npm run alertctl -- tail', 'the throttled topic, readable; --json for machines'],
    [`redis-cli -u "$REDIS_URL" HGETALL '${key}'`, `the windows of partition ${steps.partition}`],
  ];
  if (!steps.external)
    rows.unshift([`set -a; . ${steps.envFile}; set +a`, 'where the servers are, for what follows']);
  if (!steps.external && !steps.stackGoesOn)
    rows.unshift(['npm run stack:up', 'starts the stack again, with the data of this run']);
  return [
    'Where to look next:',
    ...rows.map(([command, what]) => `  ${command.padEnd(COMMAND_COLUMNS)}  # ${what}`),
    `Logs of this run: ${steps.logs}`,
  ].join('\n');
}
