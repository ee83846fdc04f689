// The kernel's time as time of day. Records of one interval, and one event that is read twice, must agree on when that was,
// whenever and by whichever run they are read: so what the clock was at a moment is decided once, and remembered.
//
// The kernel counts since boot; the time of day is that plus an offset, which changes only when the clock is set. Each
// change counts from when it was noticed.

export interface ClockStep {
  /** Since boot. */
  readonly fromNs: bigint;
  /** From then on, CLOCK_REALTIME - CLOCK_BOOTTIME. */
  readonly offsetNs: bigint;
}

/** Samples differ by a little each time. More is a clock that was set, or that has drifted. */
const NOISE_NS = 1_000_000n;
/** A clock that is set so often is no clock; of older moments the oldest offset is taken. */
const MAX_STEPS = 1_000;

export class ClockHistory {
  /** The oldest first. */
  readonly #steps: ClockStep[];

  /** `steps`: of an earlier run in the same boot. */
  constructor(steps: readonly ClockStep[] = []) {
    this.#steps = [...steps];
  }

  /** True where the clock was set: then it has to be saved before a record is stored that has its time from it. */
  observe(offsetNs: bigint, nowNs: bigint): boolean {
    const last = this.#steps.at(-1);
    if (last) {
      const moved = offsetNs - last.offsetNs;
      if (moved <= NOISE_NS && moved >= -NOISE_NS) return false;
    }
    this.#steps.push({ fromNs: nowNs, offsetNs });
    if (this.#steps.length > MAX_STEPS) this.#steps.shift();
    return true;
  }

  /** Of that moment since boot. */
  offsetNs(timeNs: bigint): bigint {
    const step = this.#steps.findLast(({ fromNs }) => fromNs <= timeNs) ?? this.#steps[0];
    return step?.offsetNs ?? 0n;
  }

  micros(timeNs: bigint): number {
    return Number((timeNs + this.offsetNs(timeNs)) / 1_000n);
  }

  get steps(): readonly ClockStep[] {
    return this.#steps;
  }
}
