// The partitions that the group assigns to this instance, each with its owner; health and readiness.

import type { Limits } from '@alert-throttle/throttle';
import { limitsVersion } from '@alert-throttle/throttle';
import type { Check } from '@alert-throttle/observability';

import type { GroupListener } from './adapters/kafka-group.ts';
import type { FetchedBatch, OwnerStatus, PartitionOwner } from './partition-owner.ts';

/** How often owners look at pending commits, idle time and flushes. */
const TICK_MS = 200;
/** A minute without the group: something is wrong that a restart may cure. */
const SILENT_TOO_LONG_MS = 60_000;

export interface Membership {
  readonly joined: boolean;
  readonly silentMs: number;
  pause(partition: number): void;
}

export interface ThrottlerOptions {
  readonly makeOwner: (partition: number) => PartitionOwner;
  readonly membership: () => Membership;
  readonly limits: () => Limits;
  readonly onOwnersChanged: (partitions: readonly number[]) => void;
}

export class Throttler implements GroupListener {
  readonly #options: ThrottlerOptions;
  readonly #owners = new Map<number, PartitionOwner>();
  #ticking = false;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: ThrottlerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
  }

  assigned(partitions: readonly number[]): void {
    if (this.#stopping) return;
    const ours = new Set(partitions);
    for (const [partition, owner] of this.#owners) {
      if (ours.has(partition)) {
        owner.refetch();
      } else {
        this.#owners.delete(partition);
        void owner.drop();
      }
    }
    for (const partition of partitions) {
      if (this.#owners.has(partition)) continue;
      this.#options.membership().pause(partition);
      const owner = this.#options.makeOwner(partition);
      this.#owners.set(partition, owner);
      owner.start();
    }
    this.#options.onOwnersChanged([...this.#owners.keys()]);
  }

  lost(): void {
    for (const owner of this.#owners.values()) void owner.drop();
    this.#owners.clear();
    this.#options.onOwnersChanged([]);
  }

  async batch(partition: number, batch: FetchedBatch): Promise<void> {
    await this.#owners.get(partition)?.onBatch(batch);
  }

  skipped(partition: number, end: number): void {
    void this.#owners.get(partition)?.onSkipped(end);
  }

  limitsChanged(): void {
    for (const owner of this.#owners.values()) void owner.applyLimits();
  }

  /** Finishes what is in hand in every partition and flushes it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const partition of this.#owners.keys()) this.#options.membership().pause(partition);
    await Promise.all([...this.#owners.values()].map((owner) => owner.stop()));
  }

  health(): Check {
    const { joined, silentMs } = this.#options.membership();
    return {
      ok: silentMs < SILENT_TOO_LONG_MS,
      detail: { joined, secondsSinceGroupHeartbeat: Math.round(silentMs / 1000) },
    };
  }

  /** Ready once every assigned partition is claimed and the configured limits are in force there. */
  ready(): Check {
    const { joined } = this.#options.membership();
    const wanted = limitsVersion(this.#options.limits());
    const partitions = [...this.#owners.values()].map((owner) => owner.status());
    const waiting = partitions.filter((p) => p.phase !== 'live' || p.limitsVersion !== wanted);
    return {
      ok: joined && waiting.length === 0 && !this.#stopping,
      detail: { joined, limits: wanted, partitions: partitions.map(describe) },
    };
  }

  /** Owners look after themselves one after the other, so that no tick overtakes another. */
  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    await Promise.all([...this.#owners.values()].map((owner) => owner.tick()));
    this.#ticking = false;
  }
}

function describe(status: OwnerStatus): Record<string, unknown> {
  const { partition, phase, position, limitsVersion: limits, recordsLeft, problem } = status;
  return {
    partition,
    phase,
    position,
    ...(limits === undefined ? {} : { limits }),
    ...(recordsLeft > 0 ? { recordsLeft } : {}),
    ...(problem === undefined ? {} : { problem }),
  };
}
