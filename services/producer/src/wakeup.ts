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
    // With a reason of its own: an error with its stack would be made otherwise, each time.
    this.#waiting.abort('notified');
    this.#waiting = new AbortController();
  }

  /** Until notify(), at most so long, or until `stop` aborts. */
  async wait(maxMs: number, stop: AbortSignal): Promise<void> {
    await this.#clock.sleep(maxMs, AbortSignal.any([stop, this.#waiting.signal]));
  }
}
