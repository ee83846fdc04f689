// A throttler process with a fault in it, as a test looks at it.

import { fileURLToPath } from 'node:url';

import { type Fault, STRUCK, WENT_ON } from './fault.ts';
import type { Scenario } from './scenario.ts';
import { ThrottlerRun } from './throttler-run.ts';

const MAIN = fileURLToPath(new URL('faulty-throttler.ts', import.meta.url));

export class FaultyRun extends ThrottlerRun {
  readonly #fault: Fault;

  constructor(scenario: Scenario, fault: Fault) {
    super({ ...scenario.env(), FAULT: JSON.stringify(fault) }, MAIN);
    this.#fault = fault;
  }

  /** For a fault that is armed later: its next passages count. */
  arm(): void {
    this.service.kill('SIGUSR2');
  }

  /** Waits until it has killed or stopped itself. */
  async struck(): Promise<void> {
    const { point, passage, signal } = this.#fault;
    if (signal === 'SIGSTOP') {
      await this.says(STRUCK);
      return;
    }
    const what = `passage ${passage} of ${point}`;
    const end = await this.service.exit(90_000).catch((error: unknown) => {
      throw new Error(`waiting for ${what}: ${String(error)}`, { cause: error });
    });
    if (end.signal !== 'SIGKILL' || this.logged(STRUCK).length === 0) {
      const output = this.service.output.slice(-8000);
      throw new Error(`it ended before ${what}; it printed:\n${output}`);
    }
  }

  /** Wakes it up, and waits for the end of the commit in which it was stopped; true if that succeeded. */
  async goesOn(): Promise<boolean> {
    this.service.kill('SIGCONT');
    const line = await this.says(WENT_ON);
    return line['committed'] === true;
  }
}
