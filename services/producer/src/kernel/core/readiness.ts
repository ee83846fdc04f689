// How far a runtime is with building a container, from what its first process looks like.
import type { ProcessFacts } from '../adapters/processes.ts';

/** A container that keeps the host's file system as its root is never seen to change it. */
const HOST_ROOT_MS = 1_000;
/** A process that was not executed, but restored or forked, is never seen to run a program of its own. */
const NO_EXEC_MS = 10_000;

export type Phase =
  /** Still the host's: no mount namespace, or no root of its own. */
  | 'outside'
  /** Paths inside it lead where they will lead; its own program does not run yet. */
  | 'built'
  | 'running';

export interface Seen {
  readonly hostMntNs: number;
  /** Since it was first seen in a mount namespace of its own. */
  readonly insideForMs: number;
  /** Before the producer looked: then it need not wait to be sure, if its process is old enough. */
  readonly wasThere: boolean;
}

export function phaseOf(facts: ProcessFacts, { hostMntNs, insideForMs, wasThere }: Seen): Phase {
  if (!isInside(facts, hostMntNs)) return 'outside';
  const isOld = insideForMs >= HOST_ROOT_MS || (wasThere && facts.ageMs >= HOST_ROOT_MS);
  const hasRoot = facts.ownRoot || isOld;
  if (insideForMs >= NO_EXEC_MS || (facts.ownProgram && hasRoot)) return 'running';
  return hasRoot ? 'built' : 'outside';
}

export function isInside(facts: ProcessFacts, hostMntNs: number): boolean {
  return facts.mntNs !== hostMntNs;
}
