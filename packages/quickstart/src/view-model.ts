// What the view knows: records of the three topics in, counts per container out. No clock and no input or output,
// so that what the screen says can be tested record by record. Memory is bounded whatever the user's file holds.
import { containerKey, type Alert } from '@alert-throttle/alert';

export type ViewTopic = 'raw' | 'throttled' | 'deadLetter';

/** One record of this run as it was read from Kafka. */
export interface ViewRecord {
  readonly topic: ViewTopic;
  readonly partition: number;
  readonly offset: number;
  /** The record's own timestamp: the append time on the raw topic, the partition's time on the throttled one. */
  readonly timestampMs: number;
  readonly key: string;
  /** Null for a tombstone, undefined for bytes that are no alert. */
  readonly alert: Alert | null | undefined;
}

/** Containers that get a row of their own; all later ones share one row. */
export const MAX_CONTAINERS = 20_000;
/** Lives of a producer whose last sequence number is remembered, to tell repeats. */
const MAX_LIVES = 1_000;

export interface Row {
  readonly key: string;
  /** Of the raw topic; on the throttled topic it is the same. */
  readonly partition: number;
  /** `namespace/pod/container`, or `host <name>`; the key until an alert told. */
  name: string;
  /** On the raw topic, repeats not counted. */
  seen: number;
  /** On the throttled topic. */
  passed: number;
  thresholds: number;
  /** Start of the first interval that began in this run. */
  firstStartMicros: number | undefined;
  /** An interval was reported that began before this run, so `reported` may count alerts that are not of it. */
  earlierInterval: boolean;
  /** Dropped alerts that the AlertThresholdEnded events of this run account for. */
  reported: number;
  /** Set while an interval runs that was not reported yet. */
  interval: OpenInterval | undefined;
  /** What the container did last, in a few words, and when (Unix micros). */
  last: string;
  lastAtMicros: number;
  deleted: boolean;
}

export interface OpenInterval {
  readonly startMicros: number;
  readonly endMicros: number;
  /** When time passing alone makes the throttler report it; moves as alerts of the interval arrive. */
  dueMicros: number;
}

export interface ViewState {
  readonly rows: Map<string, Row>;
  /** What the containers beyond MAX_CONTAINERS did; `open`: their intervals that were not reported yet. */
  readonly others: { seen: number; passed: number; reported: number; open: number };
  /** Alerts that lie on the raw topic more than once: sent again by a producer that was interrupted. */
  repeats: number;
  /** Records of the raw topic that are no alerts. */
  unreadable: number;
  deadLetters: number;
  tombstones: number;
  thresholds: number;
  /** AlertThresholdEnded events. */
  ended: number;
  /** Highest sequence number per life of a producer, and partition. */
  readonly sequences: Map<string, number>;
}

/** What is to be shown to the user as it comes. */
export interface Notice {
  readonly kind: 'threshold' | 'ended' | 'lost';
  readonly alert: Alert;
}

export function emptyView(): ViewState {
  return {
    rows: new Map(),
    others: { seen: 0, passed: 0, reported: 0, open: 0 },
    repeats: 0,
    unreadable: 0,
    deadLetters: 0,
    tombstones: 0,
    thresholds: 0,
    ended: 0,
    sequences: new Map(),
  };
}

/** Takes one record in. Returns what is worth a line of its own. The state is changed in place. */
export function applyRecord(state: ViewState, record: ViewRecord): Notice | undefined {
  switch (record.topic) {
    case 'raw':
      applyRaw(state, record);
      return undefined;
    case 'throttled':
      return applyThrottled(state, record);
    case 'deadLetter':
      state.deadLetters++;
      return undefined;
  }
}

function applyRaw(state: ViewState, record: ViewRecord): void {
  const { alert } = record;
  if (alert === undefined) {
    state.unreadable++;
  } else if (alert === null) {
    state.tombstones++;
    const row = state.rows.get(record.key);
    if (row) row.deleted = true;
  } else if (isRepeat(state, record.partition, alert)) {
    state.repeats++;
  } else {
    const row = rowOf(state, record, alert);
    if (!row) {
      state.others.seen++;
      return;
    }
    row.seen++;
    row.deleted = false;
    row.last = describe(alert);
    row.lastAtMicros = alert.EventTimeMicros > 0 ? alert.EventTimeMicros : record.timestampMs * 1000;
    if (row.interval) row.interval.dueMicros = dueMicros(row.interval, record, row.lastAtMicros);
  }
}

/** As the throttler does it: nothing of the interval can still come once as much time has passed as was left of it. */
function dueMicros(interval: OpenInterval, record: ViewRecord, atMicros: number): number {
  const appendedMicros = record.timestampMs * 1000;
  const at = Math.min(atMicros, appendedMicros);
  if (at < interval.startMicros || at >= interval.endMicros) return interval.dueMicros;
  return Math.max(interval.dueMicros, appendedMicros + (interval.endMicros - at));
}

function applyThrottled(state: ViewState, record: ViewRecord): Notice | undefined {
  const { alert } = record;
  if (!alert) return undefined;
  // What the throttler made itself has no sequence number; with one, it is an alert that passed.
  if (alert.Sequence === 0 && alert.BootID === '') {
    if (alert.Operation === 'AlertThreshold' && alert.Throttle) return applyThreshold(state, record, alert);
    if (alert.Operation === 'AlertThresholdEnded' && alert.Throttle) return applyEnded(state, alert);
    if (alert.Operation === 'AlertsLost') return { kind: 'lost', alert };
  }
  const row = rowOf(state, record, alert);
  if (row) row.passed++;
  else state.others.passed++;
  return alert.Operation === 'AlertsLost' ? { kind: 'lost', alert } : undefined;
}

function applyThreshold(state: ViewState, record: ViewRecord, alert: Alert): Notice {
  state.thresholds++;
  const startMicros = alert.Throttle?.IntervalStartMicros ?? 0;
  const endMicros = alert.Throttle?.IntervalEndMicros ?? 0;
  const row = rowOf(state, record, alert);
  if (row) {
    row.thresholds++;
    row.firstStartMicros ??= startMicros;
    row.interval = {
      startMicros,
      endMicros,
      dueMicros: record.timestampMs * 1000 + (endMicros - startMicros),
    };
  } else {
    state.others.open++;
  }
  return { kind: 'threshold', alert };
}

function applyEnded(state: ViewState, alert: Alert): Notice | undefined {
  const throttle = alert.Throttle;
  if (!throttle) return undefined;
  const key = containerKey(alert);
  const known = state.rows.get(key);
  // The end of an interval of an earlier run, of a container that does not take part in this one.
  if (!known && state.rows.size < MAX_CONTAINERS) return undefined;
  state.ended++;
  if (known) {
    known.reported += throttle.DroppedAlerts;
    if (throttle.IntervalStartMicros < (known.firstStartMicros ?? Infinity)) known.earlierInterval = true;
    if (known.interval?.startMicros === throttle.IntervalStartMicros) known.interval = undefined;
  } else {
    state.others.reported += throttle.DroppedAlerts;
    if (!throttle.Late) state.others.open = Math.max(0, state.others.open - 1);
  }
  return { kind: 'ended', alert };
}

/** The row of the alert's container; none once there are too many. */
function rowOf(state: ViewState, { partition }: ViewRecord, alert: Alert): Row | undefined {
  const key = containerKey(alert);
  let row = state.rows.get(key);
  if (!row) {
    if (state.rows.size >= MAX_CONTAINERS) return undefined;
    row = {
      key,
      partition,
      name: nameOf(alert),
      seen: 0,
      passed: 0,
      thresholds: 0,
      firstStartMicros: undefined,
      earlierInterval: false,
      reported: 0,
      interval: undefined,
      last: '',
      lastAtMicros: 0,
      deleted: false,
    };
    state.rows.set(key, row);
  } else if (row.name === row.key) {
    // So far nobody said what the container is called.
    row.name = nameOf(alert);
  }
  return row;
}

/** Whether the producer sent this alert before. A life's alerts lie in each partition in the order of their numbers. */
function isRepeat(state: ViewState, partition: number, alert: Alert): boolean {
  if (alert.Sequence <= 0 || alert.BootID === '') return false;
  const life = `${partition}/${alert.NodeID}/${alert.BootID}`;
  const highest = state.sequences.get(life);
  if (highest !== undefined && alert.Sequence <= highest) return true;
  if (highest === undefined && state.sequences.size >= MAX_LIVES) {
    const oldest = state.sequences.keys().next();
    if (oldest.done !== true) state.sequences.delete(oldest.value);
  }
  state.sequences.set(life, alert.Sequence);
  return false;
}

/** `namespace/pod/container`, as far as the alert says; fit for a terminal. */
export function nameOf(alert: Alert): string {
  if (alert.ContainerID === '')
    return printable(`host ${alert.HostName === '' ? alert.NodeID : alert.HostName}`);
  const names = [alert.NamespaceName, alert.PodName, alert.ContainerName].filter((name) => name !== '');
  return printable(names.length === 0 ? alert.ContainerID : names.join('/'));
}

function describe(alert: Alert): string {
  const what = alert.Action === '' ? alert.Operation : `${alert.Action} ${alert.Operation}`;
  return printable(`${what} ${alert.Resource === '' ? alert.PolicyName : alert.Resource}`.trim());
}

/** Names and paths come from inside containers: no control character of theirs may reach the terminal. */
function printable(text: string): string {
  return text.slice(0, 200).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '·');
}
