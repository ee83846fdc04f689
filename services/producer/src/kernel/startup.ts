// Follows a new container from its cgroup to its own program: tells when paths inside it can be resolved, and when it runs.
import type { NodeContainer } from './core/node-container.ts';
import { isInside, phaseOf, type Phase } from './core/readiness.ts';
import type { ProcessFacts } from './adapters/processes.ts';

export interface StartupOptions {
  /** The oldest process of the cgroup; undefined while there is none. */
  readonly initOf: (cgroupPath: string) => ProcessFacts | undefined;
  readonly hostMntNs: number;
  readonly nowMicros: () => number;
  /** Its root is there; its program may run already. Told once. */
  readonly onBuilt: (container: NodeContainer, facts: ProcessFacts) => void;
  /** Told once, after onBuilt. `sawBefore`: it was seen before its program ran. */
  readonly onRunning: (container: NodeContainer, facts: ProcessFacts, sawBefore: boolean) => void;
}

interface Starting {
  readonly container: NodeContainer;
  readonly sinceMicros: number;
  insideSinceMicros: number | undefined;
  isBuilt: boolean;
  looks: number;
  timer: NodeJS.Timeout | undefined;
}

/** Runtimes take tens of milliseconds; what does not begin within seconds is looked at now and then. */
const FAST_MS = 3;
const FAST_FOR_MICROS = 5_000_000;
const SLOW_MS = 250;

export class Startup {
  readonly #options: StartupOptions;
  readonly #starting = new Map<bigint, Starting>();

  constructor(options: StartupOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#starting.size;
  }

  watch(container: NodeContainer): void {
    const sinceMicros = this.#options.nowMicros();
    const starting: Starting = {
      container,
      sinceMicros,
      insideSinceMicros: undefined,
      isBuilt: false,
      looks: 0,
      timer: undefined,
    };
    this.#starting.set(container.cgroupId, starting);
    this.#look(starting);
  }

  forget(cgroupId: bigint): void {
    clearTimeout(this.#starting.get(cgroupId)?.timer);
    this.#starting.delete(cgroupId);
  }

  close(): void {
    for (const cgroupId of [...this.#starting.keys()]) this.forget(cgroupId);
  }

  #look(starting: Starting): void {
    const { initOf, nowMicros, onBuilt, onRunning } = this.#options;
    const { container } = starting;
    const atMicros = nowMicros();
    starting.looks += 1;
    const facts = initOf(container.known.place.cgroupPath);
    const phase = facts === undefined ? 'outside' : this.#phaseOf(starting, facts, atMicros);
    if (phase === 'running') container.running = true;
    else container.lastWithoutMicros = atMicros;
    if (facts && phase !== 'outside' && !starting.isBuilt) {
      starting.isBuilt = true;
      onBuilt(container, facts);
    }
    if (facts && phase === 'running') {
      this.forget(container.cgroupId);
      onRunning(container, facts, starting.looks > 1);
      return;
    }
    const isYoung = atMicros - starting.sinceMicros < FAST_FOR_MICROS;
    starting.timer = setTimeout(() => this.#look(starting), isYoung ? FAST_MS : SLOW_MS);
  }

  #phaseOf(starting: Starting, facts: ProcessFacts, atMicros: number): Phase {
    const { hostMntNs } = this.#options;
    if (!isInside(facts, hostMntNs)) return 'outside';
    starting.insideSinceMicros ??= atMicros;
    const insideForMs = (atMicros - starting.insideSinceMicros) / 1_000;
    const { wasThere } = starting.container;
    return phaseOf(facts, { hostMntNs, insideForMs, wasThere });
  }
}
