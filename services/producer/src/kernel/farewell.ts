// The end of a container: its tombstone goes out after its last report, and only then is it forgotten.
import type { Containers } from './containers.ts';
import type { KnownContainer } from './core/container-state.ts';
import type { Kernel } from './kernel-port.ts';

export interface FarewellOptions {
  readonly kernel: Pick<Kernel, 'throttleMap'>;
  readonly containers: Containers;
  readonly nowMs: () => number;
  readonly onGone: (container: KnownContainer, hasSuccessor: boolean) => void;
}

/** Events that were raised before the end have been read by then, as long as the rings are not held up. */
const SETTLE_MS = 1_500;
/** A report that does not come within so long, does not come. */
const LONGEST_MS = 60_000;

/** To be called each second, after the sweep: the kernel brings out what it owes, as far as the ring has room. */
export function bidFarewell({ kernel, containers, nowMs, onGone }: FarewellOptions): void {
  const now = nowMs();
  const leaving = containers.all.filter(
    ({ removedAtMs }) => removedAtMs !== undefined && now - removedAtMs >= SETTLE_MS,
  );
  if (leaving.length === 0) return;
  const owing = new Set(kernel.throttleMap().map(({ container }) => container));
  for (const container of leaving) {
    const isDue = !owing.has(container.cgroupId) && !container.throttled;
    if (!isDue && now - (container.removedAtMs ?? now) < LONGEST_MS) continue;
    containers.forget(container.cgroupId);
    onGone(container, hasSuccessor(containers, container));
  }
}

/** A container that was restarted has a new cgroup under its old name. */
function hasSuccessor(containers: Containers, gone: KnownContainer): boolean {
  const { ContainerID } = gone.known.identity;
  return containers.all.some(({ known }) => known.identity.ContainerID === ContainerID);
}
