// What changes about a container while it is there: how far it is, which rules it has, what was said of it.
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

/** How far a container is, with what is known only from then on. */
export type Life = Present | Leaving;

export type Present =
  /** Its runtime builds it: paths inside cannot be resolved yet. */
  | { readonly phase: 'building' }
  /** It has its root. From `running` on, its own program runs. `facts`: of the process through which it is asked. */
  | { readonly phase: 'built' | 'running'; readonly facts: ProcessFacts };

/** Its cgroup is gone; what the kernel has to report of it may still come. */
export interface Leaving {
  readonly phase: 'leaving';
  readonly sinceMs: number;
  /** Of the rings, when nothing of it could come into them any more. */
  lastNumbers: Marks | undefined;
  /** What it was, as its cgroup may turn out to be there. */
  readonly before: Present;
}

/** What PolicyApplied says of how long it was without its rules. */
export interface Exposed {
  /** When its cgroup was made; undefined where that was not seen. */
  readonly createdAtMicros: number | undefined;
  /** When its own program was last seen not to run yet. */
  lastWithoutMicros: number | undefined;
  /** When what is in force for it was put in force. */
  inForceAtMicros: number | undefined;
  /** So long ENFORCER_GATE held it. */
  heldMs: number | undefined;
  /** By then its own program ran already. */
  isLate: boolean;
  /** That its rules are in force was said, or need not be said any more. */
  announced: boolean;
}

export interface NodeContainer {
  readonly cgroupId: bigint;
  known: Known;
  /** Before the producer began. One that is only found later may still be in the making. */
  readonly wasThere: boolean;
  life: Life;
  /** Policies that apply to it, in force or not. */
  wanted: readonly string[];
  /** Undefined: not registered in the kernel yet. */
  enforced: Enforced | undefined;
  /** Why other rules could not be put in force; said once. */
  refusedFor: string | undefined;
  /** Paths of rules of which nobody knows where they lead, with the reason. */
  unanswered: ReadonlyMap<string, string>;
  readonly exposed: Exposed;
}

/** Of the process through which it is asked; undefined while it has no root of its own. */
export function factsInside({ life }: NodeContainer): ProcessFacts | undefined {
  return life.phase === 'built' || life.phase === 'running' ? life.facts : undefined;
}

export function isLeaving(container: NodeContainer): container is NodeContainer & { life: Leaving } {
  return container.life.phase === 'leaving';
}
