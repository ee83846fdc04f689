// What a partition's owner is given, and what it tells others.

import type { Limits } from '@alert-throttle/throttle';
import type { Logger } from '@alert-throttle/observability';

import type { RefusalCode, StartFrom } from './core/claim-plan.ts';
import type { AlertSchemas, FoldCounts } from './core/record-folder.ts';
import type {
  CheckpointStore,
  FetchControl,
  LogFacts,
  MonotonicClock,
  PartitionTransactions,
} from './ports.ts';

/** The schemas of the raw topic's records, and the wait for one that is not known yet. */
export interface SchemaSource extends AlertSchemas {
  /** Resolves once the id is known, unknown for good, or no schema of an alert; rejects only when the process stops. */
  resolve(schemaId: number): Promise<void>;
}

export interface OwnerDependencies {
  readonly partition: number;
  /** The raw topic. */
  readonly topic: string;
  readonly startFrom: StartFrom | undefined;
  readonly facts: LogFacts;
  readonly control: FetchControl;
  readonly schemas: SchemaSource;
  readonly store: CheckpointStore;
  readonly transactions: () => PartitionTransactions;
  /** As configured now. */
  readonly limits: () => Limits;
  /** Records of one transaction at most, where it is not the usual number. */
  readonly recordsPerCommit?: number;
  readonly clock: MonotonicClock;
  readonly logger: Logger;
  readonly observer: OwnerObserver;
  /** Resolves when the group next shows that it counts on us: a fenced owner may be a zombie. */
  readonly stillMember: (signal: AbortSignal) => Promise<void>;
  /** A claim that no waiting sets right: the process ends with this message. */
  readonly onRefused: (code: RefusalCode, message: string) => void;
}

/** Told what happens; see metrics.ts. */
export interface OwnerObserver {
  claimed(partition: number, how: string): void;
  committed(partition: number, counts: FoldCounts, seconds: number): void;
  folded(partition: number, records: number, seconds: number): void;
  position(partition: number, lagRecords: number, lastAppendMs: number): void;
  windows(partition: number, windows: number, throttled: number): void;
  rebuilding(partition: number, recordsLeft: number): void;
  digestMismatch(partition: number): void;
  degraded(partition: number, degraded: boolean): void;
  flushed(partition: number, windows: number): void;
  reclaimed(partition: number): void;
}
