// The end of a container: its tombstone goes out after its last report, and only then is it forgotten.
import type { NodeContainers } from './node-containers.ts';
import type { NodeContainer } from './core/node-container.ts';
import type { Marks } from './core/ring-ledger.ts';
import type { KernelPort } from './kernel-port.ts';

export interface FarewellOptions {
  readonly kernel: Pick<KernelPort, 'throttleMap' | 'rings'>;
  readonly containers: NodeContainers;
  /** How far the rings have been read. */
  readonly marks: () => Marks;
  readonly nowMs: () => number;
  readonly onGone: (container: NodeContainer, hasSuccessor: boolean) => void;
}

/** A report that does not come within so long, does not come. */
const LONGEST_MS = 60_000;

/** To be called each second, after the sweep: the kernel brings out what it owes, as far as the ring has room. */
export function bidFarewell({ kernel, containers, marks, nowMs, onGone }: FarewellOptions): void {
  const leaving = containers.all.filter(({ removedAtMs }) => removedAtMs !== undefined);
  if (leaving.length === 0) return;
  const owing = new Set(kernel.throttleMap().map(({ container }) => container));
  const { enforcement, audit } = kernel.rings();
  const read = marks();
  for (const container of leaving) {
    // Nothing of it comes into the rings any more. What is in them has to be read.
    if (!owing.has(container.cgroupId))
      container.lastNumbers ??= { enforcement: Number(enforcement.number), audit: Number(audit.number) };
    const last = container.lastNumbers;
    const isOut = last !== undefined && read.enforcement >= last.enforcement && read.audit >= last.audit;
    if (!isOut && nowMs() - (container.removedAtMs ?? 0) < LONGEST_MS) continue;
    if (containers.isThereAfterAll(container)) continue;
    containers.forget(container.cgroupId);
    onGone(container, hasSuccessor(containers, container));
  }
}

/** A container that was restarted has a new cgroup under its old name. */
function hasSuccessor(containers: NodeContainers, gone: NodeContainer): boolean {
  const { ContainerID } = gone.known.identity;
  return containers.all.some(({ known }) => known.identity.ContainerID === ContainerID);
}
