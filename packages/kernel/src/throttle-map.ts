// The throttle map for people and for the producer: a window and its intervals as values.
import { byOperation, byRule, operationOf, type DroppedByOperation, type DroppedByRule } from './events.ts';
import * as layout from './layout.ts';
import type { EndedBy, Operation, ThrottleValue } from './layout.ts';
import { limitsOf, type LimitsInForce } from './limits.ts';

export interface ThrottleInterval {
  readonly startNs: bigint;
  readonly untilNs: bigint;
  /** '': open. */
  readonly endedBy: EndedBy;
  /** The ring has its AlertThreshold. */
  readonly announced: boolean;
  readonly limits: LimitsInForce;
  readonly dropped: number;
  readonly firstDroppedNs: bigint;
  readonly lastDroppedNs: bigint;
  readonly crossings: number;
  readonly droppedByOperation: readonly DroppedByOperation[];
  readonly droppedByRule: readonly DroppedByRule[];
  readonly droppedByOtherRules: number;
  readonly triggerRule: number;
  readonly triggerOperation: Operation;
  readonly triggerHostPid: number;
  readonly triggerComm: string;
}

/** Times are of CLOCK_BOOTTIME. */
export interface ThrottleEntry {
  /** Cgroup id; 0: the window that newcomers share while the map is full. */
  readonly container: bigint;
  readonly openedAtNs: bigint;
  /** In the past, or 0: not throttled. */
  readonly throttledUntilNs: bigint;
  readonly passedInWindow: number;
  readonly profile: number;
  /** The container is gone, and what is due is not all out. */
  readonly removed: boolean;
  /** Since the entry was made: matched = passed + dropped, and of those that passed, `lost` were lost. */
  readonly matched: number;
  readonly dropped: number;
  readonly lost: number;
  readonly containers: number;
  /** Not reported yet, the oldest first. */
  readonly intervals: readonly ThrottleInterval[];
}

/** Whose value is being freed. */
const NOBODY = 0xffff_ffff_ffff_ffffn;

/** Of two values of one container, during a hand-over, one holds its window. */
const ELSEWHERE = layout.THROTTLE_ARRIVING | layout.THROTTLE_MOVED;

/** Undefined for a value that is nobody's any more, or holds no window. */
export function decodeThrottle(bytes: Buffer): ThrottleEntry | undefined {
  const value = layout.throttle.decode(bytes);
  if (value.container === NOBODY || (value.flags & ELSEWHERE) !== 0) return undefined;
  return {
    container: value.container,
    openedAtNs: value.window.opened_at,
    throttledUntilNs: value.window.throttled_until,
    passedInWindow: value.window.passed,
    profile: value.profile,
    removed: (value.flags & layout.THROTTLE_REMOVED) !== 0,
    matched: Number(value.matched),
    dropped: Number(value.dropped),
    lost: Number(value.lost),
    containers: Number(value.containers),
    intervals: intervalsOf(value),
  };
}

function intervalsOf({ intervals, first, count }: ThrottleValue): ThrottleInterval[] {
  return Array.from(
    { length: Math.min(count, layout.INTERVALS) },
    (_, i) => intervals[(first + i) % layout.INTERVALS],
  )
    .filter((interval) => interval !== undefined)
    .map((interval) => ({
      startNs: interval.start_ns,
      untilNs: interval.until_ns,
      endedBy: layout.ENDED_BY[interval.ended_by] ?? '',
      announced: interval.announced !== 0,
      limits: limitsOf(interval.limits),
      dropped: Number(interval.dropped),
      firstDroppedNs: interval.first_dropped_ns,
      lastDroppedNs: interval.last_dropped_ns,
      crossings: Number(interval.crossings),
      droppedByOperation: byOperation(interval.dropped_by_operation),
      droppedByRule: byRule(interval.rules, interval.dropped_by_rule),
      droppedByOtherRules: Number(interval.dropped_by_other_rules),
      triggerRule: interval.trigger_rule,
      triggerOperation: operationOf(interval.trigger_operation),
      triggerHostPid: interval.trigger.host_pid,
      triggerComm: interval.trigger.comm,
    }));
}
