// Sums over the view's rows: what is dropped, what is still open, and whether the counts add up.
import type { Row, ViewState } from './view-model.ts';

export interface Totals {
  readonly containers: number;
  readonly seen: number;
  readonly passed: number;
  readonly reported: number;
  /** Intervals that were not reported yet. */
  readonly open: number;
  /** Unix micros at which the last of them is due; undefined if there is none. */
  readonly lastDueMicros: number | undefined;
  readonly nextDueMicros: number | undefined;
}

export function totalsOf(state: ViewState): Totals {
  let { seen, passed, reported, open } = state.others;
  let lastDueMicros: number | undefined;
  let nextDueMicros: number | undefined;
  for (const row of state.rows.values()) {
    seen += row.seen;
    passed += row.passed;
    reported += row.reported;
    if (!row.interval) continue;
    open++;
    const due = row.interval.dueMicros;
    lastDueMicros = Math.max(lastDueMicros ?? due, due);
    nextDueMicros = Math.min(nextDueMicros ?? due, due);
  }
  return { containers: state.rows.size, seen, passed, reported, open, lastDueMicros, nextDueMicros };
}

/** Alerts that did not come out. While the run goes on, some of them may only be on their way. */
export function droppedOf(row: { readonly seen: number; readonly passed: number }): number {
  return Math.max(0, row.seen - row.passed);
}

/** What is dropped as far as it is certain while the run goes on: only an interval drops. */
export function droppedSoFar(row: Row): number {
  return row.thresholds > 0 || row.reported > 0 ? droppedOf(row) : 0;
}

/** Whether every dropped alert was reported, container by container. */
export function addsUp(state: ViewState): boolean {
  for (const row of state.rows.values()) if (row.seen - row.passed !== row.reported) return false;
  return state.others.seen - state.others.passed === state.others.reported;
}

/** One line per container whose counts do not add up, with the likely reason. Only once everything has come through. */
export function mismatches(state: ViewState): string[] {
  const found: string[] = [];
  for (const row of state.rows.values()) {
    const dropped = row.seen - row.passed;
    if (dropped === row.reported) continue;
    const why = row.earlierInterval
      ? ' (one of its intervals began before this run and counts alerts from then)'
      : '';
    found.push(
      `${row.name}: ${row.seen} seen, ${row.passed} passed, but ${row.reported} reported as dropped${why}`,
    );
  }
  const { others } = state;
  if (others.seen - others.passed !== others.reported)
    found.push(
      `the other containers: ${others.seen} seen, ${others.passed} passed, but ${others.reported} reported as dropped`,
    );
  return found;
}

/**
 * The rows that matter most, at most `limit`: throttled now, then by dropped, then by seen. Rows of equal weight
 * keep the order in which they appeared, so that the table does not jump.
 */
export function topRows(state: ViewState, limit: number): Row[] {
  return [...state.rows.values()]
    .map((row, index) => ({ row, index, throttled: row.interval ? 1 : 0, dropped: droppedSoFar(row) }))
    .sort(
      (left, right) =>
        right.throttled - left.throttled ||
        right.dropped - left.dropped ||
        right.row.seen - left.row.seen ||
        left.index - right.index,
    )
    .slice(0, limit)
    .map(({ row }) => row);
}
