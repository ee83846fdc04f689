// Follows a new container from its cgroup to its own program: tells when paths inside it can be resolved, and when it runs.
import { isLeaving, type NodeContainer } from './core/node-container.ts';
import { isInside, phaseOf, type Phase } from './core/readiness.ts';
import type { ProcessFacts } from './adapters/processes.ts';

export interface StartupOptions {
  /** Of the oldest process of the container; undefined while there is none. */
  readonly factsOf: (container: NodeContainer) => Promise<ProcessFacts | undefined>;
  readonly hostMntNs: number;
  readonly nowMicros: () => number;
  /** Its root is there; its program may run already. Told once. */
  readonly onBuilt: (container: NodeContainer) => Promise<void>;
  /** Told once, after onBuilt. `sawBefore`: it was seen before its program ran. */
  readonly onRunning: (container: NodeContainer, sawBefore: boolean) => Promise<void>;
}

interface Starting {
  readonly container: NodeContainer;
  readonly sinceMicros: number;
  insideSinceMicros: number | undefined;
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

  /** Until it runs. Resolves after the first look, once what follows from that is done. */
  async watch(container: NodeContainer): Promise<void> {
    const sinceMicros = this.#options.nowMicros();
    const starting: Starting = {
      container,
      sinceMicros,
      insideSinceMicros: undefined,
      looks: 0,
      timer: undefined,
    };
    this.#starting.set(container.cgroupId, starting);
    await this.#look(starting);
  }

  forget(cgroupId: bigint): void {
    clearTimeout(this.#starting.get(cgroupId)?.timer);
    this.#starting.delete(cgroupId);
  }

  close(): void {
    for (const cgroupId of [...this.#starting.keys()]) this.forget(cgroupId);
  }

  async #look(starting: Starting): Promise<void> {
    const { factsOf, nowMicros } = this.#options;
    const { container } = starting;
    const atMicros = nowMicros();
    starting.looks += 1;
    const facts = await factsOf(container);
    if (this.#starting.get(container.cgroupId) !== starting || isLeaving(container)) return;
    const phase = facts === undefined ? 'outside' : this.#phaseOf(starting, facts, atMicros);
    if (phase !== 'running') {
      container.exposed.lastWithoutMicros = atMicros;
      this.#lookAgain(starting, atMicros);
    } else this.forget(container.cgroupId);
    if (facts !== undefined && phase !== 'outside') await this.#tell(starting, facts, phase);
  }

  async #tell(
    { container, looks }: Starting,
    facts: ProcessFacts,
    phase: 'built' | 'running',
  ): Promise<void> {
    const { onBuilt, onRunning } = this.#options;
    const isFirst = container.life.phase === 'building';
    container.life = { phase, facts };
    if (isFirst) await onBuilt(container);
    if (phase === 'running') await onRunning(container, looks > 1);
  }

  #lookAgain(starting: Starting, atMicros: number): void {
    const isYoung = atMicros - starting.sinceMicros < FAST_FOR_MICROS;
    starting.timer = setTimeout(() => void this.#look(starting), isYoung ? FAST_MS : SLOW_MS);
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
