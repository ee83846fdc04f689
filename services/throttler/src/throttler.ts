// The partitions that the group assigns to this instance, each with its owner; health and readiness.

import type { Limits } from '@alert-throttle/throttle';
import { limitsVersion } from '@alert-throttle/throttle';
import type { Check } from '@alert-throttle/observability';

import type { GroupListener } from './adapters/kafka-group.ts';
import type { OwnerStatus, PartitionOwner } from './partition-owner.ts';
import type { FetchedBatch, LogBounds } from './ports.ts';

/** How often owners look at pending commits, idle time and flushes. */
const TICK_MS = 200;
/** How often the lag is measured against the log's end. */
const LAG_EVERY_MS = 5000;
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
  /** The bounds of every partition of the raw topic. */
  readonly bounds: () => Promise<ReadonlyMap<number, LogBounds>>;
  readonly onOwnersChanged: (partitions: readonly number[]) => void;
}

export class Throttler implements GroupListener {
  readonly #options: ThrottlerOptions;
  readonly #owners = new Map<number, PartitionOwner>();
  #timers: NodeJS.Timeout[] = [];
  #stopping = false;

  constructor(options: ThrottlerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => void this.#noteEnds(), LAG_EVERY_MS),
    ];
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

  skipped(partition: number, start: number, end: number): void {
    void this.#owners.get(partition)?.onSkipped(start, end);
  }

  limitsChanged(): void {
    for (const owner of this.#owners.values()) void owner.applyLimits();
  }

  /** Finishes what is in hand in every partition and flushes it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const partition of this.#owners.keys()) this.#options.membership().pause(partition);
    await Promise.allSettled([...this.#owners.values()].map((owner) => owner.stop()));
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

  #tick(): void {
    for (const owner of this.#owners.values()) void owner.tick();
  }

  /** Partitions that fetch nothing (paused, waiting for a schema) must not look as if they kept up. */
  async #noteEnds(): Promise<void> {
    const bounds = await this.#options.bounds().catch(() => new Map<number, LogBounds>());
    for (const [partition, { end }] of bounds) this.#owners.get(partition)?.noteEnd(end);
  }
}

function describe(status: OwnerStatus): Record<string, unknown> {
  const { partition, phase, position, limitsVersion: limits, recordsLeft, secondsLeft, problem } = status;
  return {
    partition,
    phase,
    position,
    ...(limits === undefined ? {} : { limits }),
    ...(recordsLeft > 0 ? { recordsLeft, secondsLeft } : {}),
    ...(problem === undefined ? {} : { problem }),
  };
}
