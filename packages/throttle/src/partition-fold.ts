/**
 * The state of one partition: a fold over its records, in log order, and over the time that its owner let pass while it
 * was idle. Deterministic: records, limits and idle time decide everything. Per record the caller goes
 *
 *   advance(append time) ─▶ reports that are due, then forgets ─▶ isRepeat? ─▶ alert | remove
 *
 * All times are microseconds since the epoch. "The partition's time" is the largest that `advance` was given.
 */
import { fillWindow, formatSequence, parseField, type WindowField } from './checkpoint-format.ts';
import { decide, evolve, SECOND_IN_MICROS, type Decision } from './decide.ts';
import { DueHeap } from './due-heap.ts';
import { Hash64, Sum64 } from './hash64.ts';
import type { CrossingDetails, EndedBy, FoldSink, IntervalEvent } from './interval-event.ts';
import { Interval } from './interval.ts';
import { limitsVersion, type Limits } from './limits.ts';
import { MinuteIndex, minuteOf } from './minute-index.ts';
import { ownText } from './own-text.ts';
import { PartitionWindow } from './partition-window.ts';
import { hourOf, SequenceEntry, SequenceTable } from './sequence-table.ts';
import { noChanges, StateChanges, type CheckpointChanges } from './state-changes.ts';
import { WindowChanges } from './window-changes.ts';
import { FLAG, NONE, WindowTable } from './window-table.ts';

/** Raised whenever the fold of the same log comes out different: a checkpoint of another version is not used. */
export const FOLD_VERSION = 1;

export const DEFAULT_PROFILE = 'default';

/** A window unseen for so long, with nothing to report, counts as absent. */
const ABSENT_AFTER_MICROS = 15 * 60 * SECOND_IN_MICROS;
/** An alert that lies further before its container's previous one says that the node's clock was set back. */
const CLOCK_SET_BACK_MICROS = SECOND_IN_MICROS;

/** What the fold needs of an eligible alert. */
export interface AlertSeen {
  readonly containerKey: string;
  /** When the kernel saw it; 0 or below: unknown. */
  readonly eventTimeMicros: number;
  readonly policy: string;
  readonly operation: string;
  /** Where it lies in the raw topic. */
  readonly partition: number;
  readonly offset: number;
  /** Called once, at a crossing. If it throws, the fold has not changed. */
  details(): CrossingDetails;
}

/** The partition's time at a record: an append time in milliseconds counts as the end of its millisecond. */
export function appendTimeMicros(appendTimeMs: number): number {
  return appendTimeMs * 1000 + 999;
}

export class PartitionFold {
  readonly profile: string;
  readonly #hash = new Hash64();
  readonly #sum = new Sum64();
  readonly #table = new WindowTable();
  /** Shows the window that is dealt with. */
  readonly #window = new PartitionWindow(this.#table);
  readonly #windowChanges: WindowChanges;
  #windowCount = 0;
  readonly #sequenceChanges: StateChanges<SequenceEntry>;
  readonly #sequences: SequenceTable;
  readonly #due = new DueHeap();
  readonly #minutes = new MinuteIndex(this.#table);
  #timeMicros: number;

  /** `profile` must not be empty, start with `@` or hold a `/`: it begins the names of checkpoint fields. */
  constructor(profile: string = DEFAULT_PROFILE, timeMicros = 0) {
    if (!/^[^@/][^/]*$/.test(profile)) throw new RangeError(`profile: not a name for one: ${profile}`);
    this.profile = profile;
    this.#timeMicros = timeMicros;
    this.#windowChanges = new WindowChanges(profile, this.#table, this.#hash, this.#sum);
    this.#sequenceChanges = new StateChanges(formatSequence, this.#hash, this.#sum);
    this.#sequences = new SequenceTable(this.#sequenceChanges, this.#hash);
  }

  /**
   * The fold as a checkpoint holds it: its fields (those of the service, `@...`, are passed over) and its time.
   * Throws a CheckpointFormatError that names the field it cannot read.
   */
  static restore(
    fields: Iterable<readonly [field: string, value: string]>,
    timeMicros: number,
    profile: string = DEFAULT_PROFILE,
  ): PartitionFold {
    const fold = new PartitionFold(profile, timeMicros);
    fold.restoreMore(fields);
    return fold;
  }

  /**
   * More fields of the checkpoint that this fold is restored from, before anything else is done with it. A field that
   * comes again is passed over.
   */
  restoreMore(fields: Iterable<readonly [field: string, value: string]>): void {
    for (const [field, value] of fields) {
      const entry = parseField(field, value, this.profile, this.#hash);
      if (entry instanceof SequenceEntry) this.#sequences.restore(entry);
      else if (entry !== undefined) this.#restoreWindow(entry);
    }
  }

  /** The partition's time. */
  get timeMicros(): number {
    return this.#timeMicros;
  }

  /** Windows held in memory. */
  get windowCount(): number {
    return this.#windowCount;
  }

  /** Containers that have something to report. */
  get openCount(): number {
    return this.#due.openCount;
  }

  /** Lives of producers whose sequence numbers are remembered. */
  get sequenceCount(): number {
    return this.#sequences.size;
  }

  /** The earliest time at which a report is due, if any is. */
  get nextDueMicros(): number | undefined {
    return this.#due.first()?.dueMicros;
  }

  /**
   * Time passes, with a record or while the partition is idle: reports what is due, oldest first, ties by container key;
   * then, once a minute, forgets the windows that were long not seen. A time before the partition's changes nothing.
   */
  advance(toMicros: number, sink: FoldSink): void {
    const fromMicros = this.#timeMicros;
    if (toMicros <= fromMicros) return;
    this.#timeMicros = toMicros;
    if (this.#due.openCount > 0) this.#reportDue(toMicros, 'expired', sink);
    const minute = minuteOf(toMicros);
    if (minute === minuteOf(fromMicros)) return;
    this.#minutes.takeUnseen(minute, this.#isOpen, this.#forgetRow);
    if (hourOf(toMicros) !== hourOf(fromMicros)) this.#sequences.sweep(toMicros);
  }

  /** Decides an eligible alert, after `advance` with its record's append time. */
  alert(seen: AlertSeen, limits: Limits, sink: FoldSink): Decision {
    if (!limits.alertThrottling) return 'passed';
    const now = this.#timeMicros;
    const window = this.#present(seen.containerKey, now);
    const t = timeOf(seen.eventTimeMicros, window, now);
    const decision = decide(limits, window, t);
    if (decision === 'dropped') {
      evolve(window, decision, t, limits);
      this.#countDropped(window, t, seen);
    } else {
      const details = decision === 'thresholdCrossed' ? seen.details() : undefined;
      if (window.interval !== undefined) this.#endInterval(window, sink);
      if (details !== undefined) window.interval = new Interval(window, t, limits, details);
      evolve(window, decision, t, limits);
      if (window.interval !== undefined) this.#beginInterval(window, window.interval, t, seen, sink);
    }
    window.seenAtMicros = now;
    this.#windowChanges.touch(window);
    return decision;
  }

  /** The container was deleted: reports its open interval and forgets its window. */
  remove(containerKey: string, sink: FoldSink): void {
    const row = this.#table.find(containerKey);
    if (row === NONE) return;
    const window = this.#window.show(row);
    if ((window.flags & FLAG.removed) !== 0) return;
    if (window.dropped > 0) this.#report(window, 'container', window.lastMicros, sink);
    this.#forget(window);
  }

  /** Reports every open interval, oldest due first, ties by container key, and clears all windows. */
  throttlingOff(sink: FoldSink): void {
    this.#reportDue(Infinity, 'limits', sink);
    // As the table may shrink once nothing is left of it, its end is asked for each time.
    for (let row = 0; row < this.#table.end; row++) {
      if ((this.#table.flags(row) & (FLAG.removed | FLAG.free)) === 0) this.#forgetRow(row);
    }
  }

  /**
   * Whether a record with this sequence number was read before, in which case it is to be skipped. Remembers the number
   * otherwise. Called once for each record, after `advance`.
   */
  isRepeat(nodeID: string, bootID: string, sequence: number): boolean {
    return this.#sequences.isRepeat(nodeID, bootID, sequence, this.#timeMicros);
  }

  /** 16 hex digits: equal for equal states, whatever the way there. Costs time for what changed since the last call. */
  digest(): string {
    this.#windowChanges.rehash();
    this.#sequenceChanges.rehash();
    return this.#sum.toString();
  }

  /** Windows that `takeDirty` is about. */
  get dirtyCount(): number {
    return this.#windowChanges.unsavedCount;
  }

  /** What changed since the last `takeDirty` or `snapshot`, or since the checkpoint that this was restored from. */
  takeDirty(): CheckpointChanges {
    const changes = noChanges();
    this.#windowChanges.take(changes);
    this.#sequenceChanges.take(changes);
    return changes;
  }

  /** Everything, to replace whatever the checkpoint holds (`del` and `throttledDel` are empty). Counts as a take. */
  snapshot(): CheckpointChanges {
    const changes = noChanges();
    for (const slice of this.snapshotSlices(Infinity)) {
      for (const entry of slice.set) changes.set.push(entry);
      for (const entry of slice.throttledSet) changes.throttledSet.push(entry);
    }
    return changes;
  }

  /**
   * The same in slices of about so many entries, made one by one while the fold goes on: the state is that of the call.
   * Nothing else may be taken meanwhile. One that is not taken to its end is to be given up.
   */
  snapshotSlices(entries: number): Iterable<CheckpointChanges> {
    const sequences = noChanges();
    this.#sequenceChanges.takeAll(this.#sequences.entries(), sequences);
    return slices(this.#windowChanges.snapshot(), sequences, entries);
  }

  /** Another snapshot has to follow before anything else is taken. */
  giveUpSnapshot(): void {
    this.#windowChanges.giveUp();
  }

  #present(containerKey: string, now: number): PartitionWindow {
    const row = this.#table.find(containerKey);
    if (row === NONE) return this.#added(this.#table.add(containerKey), now);
    const window = this.#window.show(row);
    const { flags } = window;
    if ((flags & FLAG.frozen) !== 0) this.#windowChanges.beforeChange(row);
    if ((flags & FLAG.removed) !== 0) {
      window.flags &= ~FLAG.removed;
      return this.#added(row, now);
    }
    if (window.dropped === 0 && now - window.seenAtMicros >= ABSENT_AFTER_MICROS) window.clear();
    return window;
  }

  #added(row: number, now: number): PartitionWindow {
    const window = this.#window.show(row);
    window.clear();
    window.seenAtMicros = now;
    window.hashKey(this.#hash);
    this.#windowCount += 1;
    this.#minutes.add(row);
    this.#windowChanges.touch(window);
    return window;
  }

  #restoreWindow(parsed: WindowField): void {
    if (this.#table.find(parsed.containerKey) !== NONE) return;
    const row = this.#table.add(ownText(parsed.containerKey));
    const window = this.#window.show(row);
    fillWindow(window, parsed);
    window.hashKey(this.#hash);
    this.#windowCount += 1;
    this.#minutes.add(row);
    this.#windowChanges.addStored(window);
    if (window.interval?.open === true) this.#due.open(window.interval);
  }

  #beginInterval(
    window: PartitionWindow,
    interval: Interval,
    t: number,
    seen: AlertSeen,
    sink: FoldSink,
  ): void {
    this.#countDropped(window, t, seen);
    sink.threshold(this.#event(window, interval, '', t));
  }

  /** The container's own time has reached the end of its interval: no alert of it can come any more. */
  #endInterval(window: PartitionWindow, sink: FoldSink): void {
    if (window.dropped > 0) this.#report(window, 'expired', window.throttledUntilMicros, sink);
    window.interval = undefined;
  }

  #countDropped(window: PartitionWindow, t: number, seen: AlertSeen): void {
    const { interval } = window;
    if (interval === undefined) return;
    interval.count(seen.policy, seen.operation, seen.partition, seen.offset);
    const due = this.#timeMicros + (window.throttledUntilMicros - t);
    if (due > interval.dueMicros) interval.dueMicros = due;
    if (window.dropped === 1) this.#due.open(interval);
  }

  #reportDue(upToMicros: number, endedBy: EndedBy, sink: FoldSink): void {
    for (;;) {
      const interval = this.#due.firstDueBy(upToMicros);
      if (interval === undefined) return;
      const window = this.#window.show(interval.row);
      const stamp = endedBy === 'expired' ? window.throttledUntilMicros : window.lastMicros;
      this.#report(window, endedBy, stamp, sink);
    }
  }

  #report(window: PartitionWindow, endedBy: EndedBy, stampMicros: number, sink: FoldSink): void {
    const { interval } = window;
    if (interval === undefined) return;
    this.#windowChanges.beforeChange(window.row);
    sink.ended(this.#event(window, interval, endedBy, stampMicros));
    interval.startLate();
    this.#due.closed();
    this.#minutes.reported(window.row);
    this.#windowChanges.touch(window);
  }

  #event(window: PartitionWindow, interval: Interval, endedBy: EndedBy, stampMicros: number): IntervalEvent {
    const { maxAlertPerSec, throttleSec, firstDropped, lastDropped } = interval;
    return {
      containerKey: window.key,
      profile: this.profile,
      identity: interval.details.identity,
      trigger: interval.details.trigger,
      stampMicros,
      intervalStartMicros: interval.startMicros,
      intervalEndMicros: window.throttledUntilMicros,
      dropped: window.dropped,
      droppedByPolicy: interval.byPolicy.toList(),
      droppedByOperation: interval.byOperation.toList(),
      firstDropped: firstDropped && { ...firstDropped },
      lastDropped: lastDropped && { ...lastDropped },
      maxAlertPerSec,
      throttleSec,
      limitsVersion: limitsVersion({ alertThrottling: true, maxAlertPerSec, throttleSec }),
      late: interval.reported,
      endedBy,
    };
  }

  readonly #isOpen = (row: number): boolean => this.#window.show(row).dropped > 0;

  readonly #forgetRow = (row: number): void => this.#forget(this.#window.show(row));

  #forget(window: PartitionWindow): void {
    if (window.interval !== undefined) {
      this.#windowChanges.beforeChange(window.row);
      window.interval = undefined;
    }
    this.#windowCount -= 1;
    this.#windowChanges.remove(window);
  }
}

function* slices(
  next: (changes: CheckpointChanges, entries: number) => boolean,
  last: CheckpointChanges,
  entries: number,
): Generator<CheckpointChanges> {
  for (let more = true; more;) {
    const changes = noChanges();
    more = next(changes, entries);
    yield changes;
  }
  yield last;
}

/** The alert's time as the throttle takes it: bounded by the partition's time, never before the window's last time. */
function timeOf(eventTimeMicros: number, window: PartitionWindow, now: number): number {
  const last = window.lastMicros;
  if (!(eventTimeMicros > 0)) return now;
  if (eventTimeMicros >= last - CLOCK_SET_BACK_MICROS) return Math.max(last, Math.min(eventTimeMicros, now));
  return Math.min(now, last + (now - window.seenAtMicros));
}
