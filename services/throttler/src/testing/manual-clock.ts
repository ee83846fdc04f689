// A clock that stands still until a test moves it.

import type { MonotonicClock } from '../ports.ts';

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

export class ManualClock implements MonotonicClock {
  #nowMs = 0;
  #sleepers: Sleeper[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  /** How many wait for the clock to move. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(new Error('aborted'));
    if (ms <= 0) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const onAbort = (): void => reject(new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    const wake = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(undefined);
    };
    this.#sleepers.push({ untilMs: this.#nowMs + ms, wake });
    return promise;
  }

  /** Moves the clock on and wakes who slept up to there, in the order of their times. */
  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#sleepers.filter(({ untilMs }) => untilMs <= this.#nowMs);
    this.#sleepers = this.#sleepers.filter(({ untilMs }) => untilMs > this.#nowMs);
    for (const { wake } of due.sort((a, b) => a.untilMs - b.untilMs)) wake();
  }
}
