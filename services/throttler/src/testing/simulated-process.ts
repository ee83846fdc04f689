// One throttler process of a simulation: an owner whose every await passes a gate that only the simulation opens.

import { createLogger } from '@alert-throttle/observability';
import type { Limits } from '@alert-throttle/throttle';

import type { OwnerDependencies } from '../owner-dependencies.ts';
import { PartitionOwner } from '../partition-owner.ts';
import type { Gate } from './gate.ts';
import { type MemoryCheckpoints, MemoryCheckpointStore } from './memory-checkpoint-store.ts';
import { MemoryFetches, MemoryLogFacts, MemoryTransactions } from './memory-kafka.ts';
import type { MemoryLog } from './memory-log.ts';
import { MemorySchemas, type Schema } from './memory-schemas.ts';
import { Told } from './owner-fixture.ts';

/** How an await goes on. `lost`: carried out, but rejected. `crashes`: never, `crashesAfter`: carried out, but never. */
export type Outcome = 'works' | 'fails' | 'lost' | 'crashes' | 'crashesAfter';

interface PendingCall {
  readonly name: string;
  readonly finish: (outcome: Outcome) => void;
}

/** Waits of the process itself, which cannot fail. */
const OWN_CALLS = new Set(['sleep', 'stillMember']);

/** Its children are itself: there are thousands of processes, and none of them says anything. */
const logger = createLogger({ service: 'simulation', level: 'silent', format: 'json' });
logger.child = () => logger as never;

export class SimulatedGate implements Gate {
  #pending: PendingCall[] = [];
  #stalled: PendingCall[] = [];
  /** Waits for a sign of the group. */
  #parked: PendingCall[] = [];
  dead = false;

  pass<T>(name: string, act: () => T): Promise<T> {
    if (this.dead) return new Promise(() => undefined);
    return new Promise((resolve, reject) => {
      const finish = (outcome: Outcome): void => {
        try {
          if (outcome === 'works') resolve(act());
          if (outcome === 'lost' || outcome === 'crashesAfter') act();
          if (outcome === 'lost' || outcome === 'fails') reject(new Error(`${name} ${outcome}`));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      (name === 'stillMember' ? this.#parked : this.#pending).push({ name, finish });
    });
  }

  get waiting(): number {
    return this.dead ? 0 : this.#pending.length;
  }

  /** The group shows that it counts on this process. */
  signOfLife(): void {
    this.#pending.push(...this.#parked.splice(0));
  }

  /** The call that came first goes on. */
  release(outcome: Outcome): void {
    const call = this.#pending.shift();
    if (call === undefined) return;
    if (outcome === 'crashes' || outcome === 'crashesAfter') this.dead = true;
    const own = OWN_CALLS.has(call.name) && outcome !== 'crashes' && outcome !== 'crashesAfter';
    call.finish(own ? 'works' : outcome);
  }

  /** The call that came first waits until `wake`. */
  stall(): void {
    this.#stalled.push(...this.#pending.splice(0, 1));
  }

  wake(): void {
    this.#pending.push(...this.#stalled.splice(0));
  }
}

export interface SharedWorld {
  readonly log: MemoryLog;
  readonly checkpoints: MemoryCheckpoints;
  readonly registry: ReadonlyMap<number, Schema>;
  nowMs(): number;
}

export class SimulatedProcess {
  readonly gate = new SimulatedGate();
  readonly told = new Told();
  readonly fetches: MemoryFetches;
  readonly owner: PartitionOwner;
  limits: Limits;
  /** What meets the n-th await from now, counting from 0. */
  fault: { after: number; readonly outcome: Outcome | 'stalls' } | undefined;
  refused = false;

  constructor(world: SharedWorld, limits: Limits, recordsPerCommit: number) {
    const { log, checkpoints } = world;
    const { gate } = this;
    this.limits = limits;
    this.fetches = new MemoryFetches(log, gate);
    const deps: OwnerDependencies = {
      partition: 0,
      topic: 'raw',
      startFrom: undefined,
      facts: new MemoryLogFacts(log, gate),
      control: this.fetches,
      schemas: new MemorySchemas(gate, world.registry),
      store: new MemoryCheckpointStore(checkpoints, gate),
      transactions: () => new MemoryTransactions(log, gate),
      limits: () => this.limits,
      recordsPerCommit,
      clock: { nowMs: () => world.nowMs(), sleep: (_, signal) => this.#pass('sleep', signal) },
      logger,
      observer: this.told,
      stillMember: (signal) => this.#pass('stillMember', signal),
      onRefused: () => (this.refused = true),
    };
    this.owner = new PartitionOwner(deps);
  }

  /** Lets one await go on, or meet the fault that is set for it. */
  step(): void {
    const { fault } = this;
    if (fault === undefined || fault.after > 0) {
      if (fault !== undefined) fault.after -= 1;
      this.gate.release('works');
      return;
    }
    this.fault = undefined;
    if (fault.outcome === 'stalls') this.gate.stall();
    else this.gate.release(fault.outcome);
  }

  #pass(name: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(new Error('aborted'));
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    void this.gate.pass(name, () => resolve(undefined));
    return promise;
  }
}
