// Runs the self-test after attaching and every minute, and says when the answer changes.
import type { Kind } from '@alert-throttle/policy';
import { armedState, sameState, type ArmedState } from './core/armed.ts';
import { nodeArmed, nodeDisarmed } from './core/node-events.ts';
import type { SelfTest } from './self-test.ts';
import type { Voice } from './voice.ts';

export interface ArmingOptions {
  readonly selfTest: SelfTest;
  /** Kinds that are known not to be enforced, whatever the self-test finds. */
  readonly missing: ReadonlyMap<Kind, string>;
  readonly voice: Voice;
  readonly nowMs: () => number;
  readonly periodMs: number;
}

export class Arming {
  readonly #options: ArmingOptions;
  #state: ArmedState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: ArmingOptions) {
    this.#options = options;
  }

  /** Undefined until the first self-test is over. */
  get state(): ArmedState | undefined {
    return this.#state;
  }

  get isArmed(): boolean {
    return this.#state?.disarmed.size === 0;
  }

  start(): void {
    this.#running = this.#test().finally(() => {
      if (this.#closed) return;
      this.#timer = setTimeout(() => this.start(), this.#options.periodMs);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    this.#options.selfTest.close();
  }

  async #test(): Promise<void> {
    const { selfTest, missing, nowMs, voice } = this.#options;
    const beganAtMs = nowMs();
    const failures = new Map([...(await selfTest.run()), ...missing]);
    if (this.#closed) return;
    voice.observer.selfTest((nowMs() - beganAtMs) / 1_000, failures.size === 0);
    const state = armedState(failures);
    if (sameState(this.#state, state)) return;
    this.#state = state;
    this.#tell(state);
  }

  #tell(state: ArmedState): void {
    const { voice } = this.#options;
    if (state.disarmed.size === 0) {
      voice.logger.info(
        { armed: state.armed },
        'node armed: every kind of rule was tried, refused and reported',
      );
      voice.say((origin) => nodeArmed(origin, state.armed));
      return;
    }
    const reasons = [...state.disarmed].map(([kind, reason]) => `${kind}: ${reason}`);
    voice.logger.error(
      { armed: state.armed, disarmed: Object.fromEntries(state.disarmed) },
      `node NOT armed: ${reasons.join('; ')}`,
    );
    voice.say((origin) => nodeDisarmed(origin, state));
  }
}
