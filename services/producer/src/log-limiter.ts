// Keeps a flood of bad input from becoming a flood of log lines: so many in a period, then only their number.

export interface LogLimit {
  readonly lines: number;
  readonly periodMs: number;
}

export class LogLimiter {
  readonly #limit: LogLimit;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #suppressed = 0;

  constructor(limit: LogLimit) {
    this.#limit = limit;
  }

  /** Whether a line may be written now. */
  allow(nowMs: number): boolean {
    if (nowMs - this.#startedAtMs >= this.#limit.periodMs) {
      this.#startedAtMs = nowMs;
      this.#lines = 0;
    }
    if (this.#lines < this.#limit.lines) {
      this.#lines += 1;
      return true;
    }
    this.#suppressed += 1;
    return false;
  }

  /** How many lines were not written since the last call. */
  takeSuppressed(): number {
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
