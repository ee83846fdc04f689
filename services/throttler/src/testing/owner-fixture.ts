// A partition's owner with everything around it in memory.

import type { Alert } from '@alert-throttle/alert';
import { createLogger, type Logger } from '@alert-throttle/observability';
import { type Limits, type OffsetMetadata, parseOffsetMetadata } from '@alert-throttle/throttle';

import type { FoldCounts } from '../core/record-folder.ts';
import type { OwnerDependencies, OwnerObserver } from '../owner-dependencies.ts';
import { PartitionOwner } from '../partition-owner.ts';
import { briefOf } from './folding.ts';
import { FaultyGate, settled } from './gate.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryCheckpoints, MemoryCheckpointStore } from './memory-checkpoint-store.ts';
import { MemoryFetches, MemoryLogFacts, MemoryTransactions } from './memory-kafka.ts';
import { MemoryLog } from './memory-log.ts';
import { MemorySchemas } from './memory-schemas.ts';
import { alertRecord, START_MS } from './raw-alerts.ts';

/** What an observer was told, counted by kind and in words. */
export class Told implements OwnerObserver {
  readonly events: string[] = [];
  readonly counts: FoldCounts[] = [];
  lagRecords = 0;
  degradedNow = false;

  claimed(_partition: number, how: string): void {
    this.events.push(`claimed from ${how}`);
  }
  committed(_partition: number, counts: FoldCounts): void {
    this.counts.push(counts);
  }
  folded(): void {
    // Told with every batch.
  }
  position(_partition: number, lagRecords: number): void {
    this.lagRecords = lagRecords;
  }
  windows(): void {
    // Told with every flush.
  }
  rebuilding(_partition: number, recordsLeft: number): void {
    if (recordsLeft > 0) this.events.push(`rebuilding ${recordsLeft}`);
  }
  digestMismatch(): void {
    this.events.push('digest mismatch');
  }
  degraded(_partition: number, degraded: boolean): void {
    this.degradedNow = degraded;
  }
  flushed(_partition: number, windows: number): void {
    this.events.push(`flushed ${windows}`);
  }
  reclaimed(): void {
    this.events.push('lost');
  }
}

/** A logger whose messages are kept. */
export function listeningLogger(): { readonly logger: Logger; readonly messages: string[] } {
  const messages: string[] = [];
  const logger = createLogger({
    service: 'test',
    level: 'debug',
    format: 'json',
    destination: {
      write: (line: string) => {
        const { level, msg } = JSON.parse(line) as { level: string; msg: string };
        messages.push(`${level}: ${msg}`);
      },
    },
  });
  return { logger, messages };
}

export const FIXTURE_LIMITS: Limits = { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 5 };

/** How often the throttler looks at its owners. */
const TICK_MS = 200;

/** One process: it shares log, checkpoints and clock with others, and nothing else. */
export class OwnerFixture {
  readonly log: MemoryLog;
  readonly checkpoints: MemoryCheckpoints;
  readonly clock: ManualClock;
  readonly gate = new FaultyGate();
  readonly schemas: MemorySchemas;
  readonly fetches: MemoryFetches;
  readonly told = new Told();
  readonly refused: string[] = [];
  readonly messages: string[];
  limits: Limits = FIXTURE_LIMITS;
  readonly deps: OwnerDependencies;
  readonly owner: PartitionOwner;

  constructor(
    shared: Partial<Pick<OwnerFixture, 'log' | 'checkpoints' | 'clock'>> = {},
    overrides: Partial<OwnerDependencies> = {},
  ) {
    this.log = shared.log ?? new MemoryLog();
    this.checkpoints = shared.checkpoints ?? new MemoryCheckpoints();
    this.clock = shared.clock ?? new ManualClock();
    this.schemas = new MemorySchemas(this.gate);
    this.fetches = new MemoryFetches(this.log);
    const { logger, messages } = listeningLogger();
    this.messages = messages;
    this.deps = {
      partition: 0,
      topic: 'raw',
      startFrom: undefined,
      facts: new MemoryLogFacts(this.log, this.gate),
      control: this.fetches,
      schemas: this.schemas,
      store: new MemoryCheckpointStore(this.checkpoints, this.gate),
      transactions: () => new MemoryTransactions(this.log, this.gate),
      limits: () => this.limits,
      clock: this.clock,
      logger,
      observer: this.told,
      stillMember: () => this.gate.pass('stillMember', () => undefined),
      onRefused: (code) => this.refused.push(code),
      ...overrides,
    };
    this.owner = new PartitionOwner(this.deps);
  }

  /** Starts the owner and lets it get as far as it can without time passing. */
  async started(): Promise<this> {
    this.owner.start();
    await this.run();
    return this;
  }

  /** Hands over all that can be fetched, and lets everything happen that needs no time. */
  async run(): Promise<void> {
    do await settled();
    while (this.fetches.deliver(this.owner));
  }

  /** Time passes, with the looks that the throttler takes at its owners. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= TICK_MS) {
      this.clock.advance(Math.min(left, TICK_MS));
      void this.owner.tick();
      await this.run();
    }
  }

  /** Appends so many alerts of a container to the log, at the broker's time. */
  append(alerts: number, fields: Partial<Alert> = {}): void {
    for (let n = 0; n < alerts; n++) {
      const Resource = `#${this.log.bounds.end}`;
      this.log.append(alertRecord(START_MS + this.clock.nowMs(), { Resource, ...fields }));
    }
  }

  /** All that was committed, in brief. */
  get outputs(): string[] {
    return this.log.outputs.map((output) => briefOf(output, this.schemas));
  }

  get metadata(): OffsetMetadata {
    return parseOffsetMetadata(this.log.committed?.metadata ?? '');
  }

  /** What the stored checkpoint stands for; undefined where there is none. */
  get stored(): { readonly offset: number; readonly digest: string } | undefined {
    const fields = this.checkpoints.state(0)?.fields;
    return fields && { offset: Number(fields.get('@offset')), digest: fields.get('@digest') ?? '' };
  }

  /** Another process on the same partition. */
  successor(overrides: Partial<OwnerDependencies> = {}): OwnerFixture {
    const other = new OwnerFixture(this, overrides);
    other.limits = this.limits;
    return other;
  }
}

/** An owner that has claimed an empty partition. */
export async function live(): Promise<OwnerFixture> {
  const on = await new OwnerFixture().started();
  const { phase } = on.owner.status();
  if (phase !== 'live') throw new Error(`the owner is ${phase}`);
  return on;
}

/** An owner with an open interval of `c1`, all of it committed: three alerts dropped, the next offset is 5. */
export async function throttled(): Promise<OwnerFixture> {
  const on = await live();
  on.append(5);
  await on.run();
  return on;
}
