// Lets one loop wait until another one has something for it.
import type { Clock } from './ports.ts';

export class Wakeup {
  readonly #clock: Clock;
  #waiting = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends every wait() of this moment. */
  notify(): void {
    this.#waiting.abort();
    this.#waiting = new AbortController();
  }

  /** Until notify(), at most so long, or until `stop` aborts. */
  async wait(maxMs: number, stop: AbortSignal): Promise<void> {
    await this.#clock.sleep(maxMs, AbortSignal.any([stop, this.#waiting.signal]));
  }
}
