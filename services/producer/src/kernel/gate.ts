// ENFORCER_GATE: holds a new container, whose root is there, until its rules are in force for where they lead in it. It never
// holds one for long: after a deadline it lets go, and says so.
import { reasonOf } from '../errors.ts';
import type { Freezer } from './adapters/freezer.ts';
import { policyRefused } from './core/node-events.ts';
import type { NodeContainer } from './core/node-container.ts';
import type { Voice } from './voice.ts';

export interface GateOptions {
  readonly isOn: boolean;
  readonly freezer: Freezer;
  readonly voice: Voice;
  readonly nowMicros: () => number;
  readonly deadlineMs?: number;
}

interface Held {
  readonly container: NodeContainer;
  readonly sinceMicros: number;
  readonly timer: NodeJS.Timeout;
}

const DEADLINE_MS = 10_000;

export class Gate {
  readonly #options: GateOptions;
  readonly #held = new Map<bigint, Held>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Of containers that are frozen now. */
  get size(): number {
    return this.#held.size;
  }

  /** Frozen until `bringRules` is done. One that was there before the producer runs already, and is left alone. */
  async hold(container: NodeContainer, bringRules: () => Promise<void>): Promise<void> {
    this.#close(container);
    try {
      await bringRules();
    } finally {
      this.#open(container.cgroupId, true);
    }
  }

  /** Nothing stays frozen. */
  close(): void {
    for (const cgroupId of [...this.#held.keys()]) this.#open(cgroupId, false);
  }

  #close(container: NodeContainer): void {
    const { isOn, freezer, nowMicros, deadlineMs = DEADLINE_MS } = this.#options;
    const { cgroupId, known, wasThere } = container;
    if (!isOn || wasThere || !freezer.freeze(cgroupId, known.place.cgroupPath)) return;
    const timer = setTimeout(() => this.#open(cgroupId, false), deadlineMs);
    this.#held.set(cgroupId, { container, sinceMicros: nowMicros(), timer });
  }

  #open(cgroupId: bigint, areRulesIn: boolean): void {
    const held = this.#held.get(cgroupId);
    if (held === undefined) return;
    const { freezer, nowMicros, voice } = this.#options;
    const { container, sinceMicros, timer } = held;
    clearTimeout(timer);
    this.#held.delete(cgroupId);
    const { cgroupPath } = container.known.place;
    try {
      freezer.thaw(cgroupId, cgroupPath);
    } catch (error) {
      voice.logger.error({ cgroup: cgroupPath }, `${cgroupPath} cannot be thawed: ${reasonOf(error)}`);
    }
    const ms = (nowMicros() - sinceMicros) / 1_000;
    container.exposed.heldMs = ms;
    voice.observer.held(ms / 1_000, areRulesIn);
    if (!areRulesIn) this.#sayLate(container, ms);
  }

  #sayLate(container: NodeContainer, ms: number): void {
    const { voice } = this.#options;
    const { identity } = container.known;
    const message = `let go after ${(ms / 1_000).toFixed(1)} s, before its rules were in force for where they lead in it; as they are written they are`;
    voice.logger.error(
      { container: identity.ContainerID },
      `ENFORCER_GATE: container ${identity.ContainerID} ${message}`,
    );
    voice.say((origin) => policyRefused(origin, container.wanted.join(','), message), identity);
  }
}
