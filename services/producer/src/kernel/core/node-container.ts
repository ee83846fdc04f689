// What changes about a container while it is there.
import type { ProcessFacts } from '../adapters/processes.ts';
import type { RuleSetHandle } from '../kernel-port.ts';
import type { Known } from './container.ts';
import type { Marks } from './ring-ledger.ts';

/** What is in force for a container in the kernel. */
export interface Enforced {
  /** Undefined: no rules. */
  readonly handle: RuleSetHandle | undefined;
  /** Equal content, equal key; '' without rules. */
  readonly key: string;
  readonly policies: readonly string[];
  readonly rules: number;
}

export interface NodeContainer {
  readonly cgroupId: bigint;
  known: Known;
  /** When its cgroup was made; undefined where that was not seen. */
  readonly createdAtMicros: number | undefined;
  /** Before the producer began. One that is only found later may still be in the making. */
  readonly wasThere: boolean;
  /** Undefined: not registered in the kernel yet. */
  enforced: Enforced | undefined;
  /** Of the process that began it; undefined while its runtime builds it: paths inside cannot be resolved yet. */
  facts: ProcessFacts | undefined;
  /** Its own program runs. */
  running: boolean;
  /** When its own program was last seen not to run yet. */
  lastWithoutMicros: number | undefined;
  /** When what is in force for it was put in force. */
  inForceAtMicros: number | undefined;
  /** By then its own program ran already. */
  isLate: boolean;
  /** That its rules are in force was said, or need not be said any more. */
  announced: boolean;
  /** Why other rules could not be put in force; said once. */
  refusedFor: string | undefined;
  removedAtMs: number | undefined;
  /** Of the rings, when nothing of it could come into them any more. */
  lastNumbers: Marks | undefined;
}
