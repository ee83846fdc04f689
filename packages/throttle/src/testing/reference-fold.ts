/**
 * The fold once more, slow and obvious: lists, linear scans, nothing kept that could be worked out. Written from the
 * rules and not from PartitionFold, against which the property tests hold it.
 */
import type { Limits } from '../limits.ts';

export interface ReferenceAlert {
  readonly container: string;
  readonly eventTimeMicros: number;
  readonly policy: string;
  readonly operation: string;
  readonly offset: number;
}

export interface ReferenceEvent {
  readonly operation: 'AlertThreshold' | 'AlertThresholdEnded';
  readonly container: string;
  readonly stampMicros: number;
  readonly startMicros: number;
  readonly endMicros: number;
  readonly dropped: number;
  readonly byPolicy: readonly (readonly [string, number])[];
  readonly byOperation: readonly (readonly [string, number])[];
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly late: boolean;
  readonly endedBy: string;
}

interface Container {
  readonly key: string;
  opened: number;
  passed: number;
  throttledFrom: number;
  throttledUntil: number;
  last: number;
  seen: number;
  reportedBefore: boolean;
  unreported: ReferenceAlert[];
  due: number;
}

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;

export class ReferenceFold {
  now = 0;
  containers: Container[] = [];
  readonly events: ReferenceEvent[] = [];
  readonly sequences: { node: string; boot: string; sequence: number; at: number }[] = [];

  advance(to: number): void {
    const before = this.now;
    this.now = Math.max(before, to);
    for (const container of this.#byDue().filter(({ due }) => due <= this.now)) {
      this.#report(container, 'expired', container.throttledUntil);
    }
    const minute = Math.floor(this.now / MINUTE);
    if (minute === Math.floor(before / MINUTE)) return;
    this.containers = this.containers.filter(
      ({ unreported, seen }) => unreported.length > 0 || Math.floor(seen / MINUTE) > minute - 16,
    );
  }

  alert(alert: ReferenceAlert, limits: Limits): 'passed' | 'dropped' | 'thresholdCrossed' {
    if (!limits.alertThrottling) return 'passed';
    const container = this.#find(alert.container);
    const t = this.#timeOf(alert, container);
    container.last = t;
    container.seen = this.now;
    if (t < container.throttledUntil) {
      this.#drop(container, alert, t);
      return 'dropped';
    }
    if (container.unreported.length > 0) this.#report(container, 'expired', container.throttledUntil);
    if (t - container.opened >= SECOND) {
      container.opened = t;
      container.passed = 0;
    }
    if (container.passed < limits.maxAlertPerSec) {
      container.passed += 1;
      return 'passed';
    }
    container.throttledFrom = t;
    container.throttledUntil = t + limits.throttleSec * SECOND;
    container.reportedBefore = false;
    this.#drop(container, alert, t);
    this.#emit('AlertThreshold', container, '', t);
    return 'thresholdCrossed';
  }

  isRepeat(node: string, boot: string, sequence: number): boolean {
    if (sequence <= 0 || boot === '') return false;
    const weekAgo = this.now - 7 * 24 * 60 * MINUTE;
    const known = this.sequences.filter(
      (seen) => seen.node === node && seen.boot === boot && seen.at > weekAgo,
    );
    if (sequence <= Math.max(0, ...known.slice(-1).map((seen) => seen.sequence))) return true;
    this.sequences.push({ node, boot, sequence, at: this.now });
    return false;
  }

  remove(key: string): void {
    const container = this.containers.find((candidate) => candidate.key === key);
    if (container === undefined) return;
    if (container.unreported.length > 0) this.#report(container, 'container', container.last);
    this.containers = this.containers.filter((candidate) => candidate !== container);
  }

  throttlingOff(): void {
    for (const container of this.#byDue()) this.#report(container, 'limits', container.last);
    this.containers = [];
  }

  nextDue(): number | undefined {
    return this.#byDue()[0]?.due;
  }

  #find(key: string): Container {
    const known = this.containers.find((candidate) => candidate.key === key);
    if (known !== undefined && (known.unreported.length > 0 || this.now - known.seen < 15 * MINUTE))
      return known;
    const fresh: Container = {
      key,
      opened: 0,
      passed: 0,
      throttledFrom: 0,
      throttledUntil: 0,
      last: 0,
      seen: this.now,
      reportedBefore: false,
      unreported: [],
      due: 0,
    };
    this.containers = [...this.containers.filter((candidate) => candidate !== known), fresh];
    return fresh;
  }

  #timeOf({ eventTimeMicros }: ReferenceAlert, { last, seen }: Container): number {
    const known = eventTimeMicros > 0;
    if (known && last - eventTimeMicros > SECOND) return Math.min(last + this.now - seen, this.now);
    const t = known ? Math.min(eventTimeMicros, this.now) : this.now;
    return Math.max(t, last);
  }

  #drop(container: Container, alert: ReferenceAlert, t: number): void {
    const due = this.now + container.throttledUntil - t;
    container.due = container.unreported.length === 0 ? due : Math.max(container.due, due);
    container.unreported.push(alert);
  }

  #byDue(): Container[] {
    const open = this.containers.filter(({ unreported }) => unreported.length > 0);
    return open.sort((a, b) => a.due - b.due || (a.key < b.key ? -1 : 1));
  }

  #report(container: Container, endedBy: string, stamp: number): void {
    this.#emit('AlertThresholdEnded', container, endedBy, stamp);
    container.unreported = [];
    container.reportedBefore = true;
  }

  #emit(operation: ReferenceEvent['operation'], container: Container, endedBy: string, stamp: number): void {
    const { unreported } = container;
    this.events.push({
      operation,
      container: container.key,
      stampMicros: stamp,
      startMicros: container.throttledFrom,
      endMicros: container.throttledUntil,
      dropped: unreported.length,
      byPolicy: tally(unreported.map(({ policy }) => policy)),
      byOperation: tally(unreported.map(({ operation: name }) => name)),
      firstOffset: unreported[0]?.offset ?? -1,
      lastOffset: unreported.at(-1)?.offset ?? -1,
      late: container.reportedBefore,
      endedBy,
    });
  }
}

/** Largest first, then by name; what came after 16 distinct names is "other", behind the names of its size. */
function tally(names: readonly string[]): [string, number][] {
  const own = [...new Set(names)].slice(0, 16);
  const counts = own.map((name): [string, number] => [name, names.filter((other) => other === name).length]);
  const rest = names.filter((name) => !own.includes(name)).length;
  const sorted = counts.sort(([a, i], [b, j]) => j - i || (a < b ? -1 : 1));
  if (rest === 0) return sorted;
  return [...sorted.filter(([, n]) => n >= rest), ['other', rest], ...sorted.filter(([, n]) => n < rest)];
}
