// What the kernel source says of itself to people: numbers for the metrics, and the state for /readyz and alertctl.
import type { Parts } from './assemble.ts';
import type { Followed } from './begin.ts';
import type { KernelFigures } from './metrics.ts';

export function figuresOf(parts: Parts, { policies }: Followed): KernelFigures {
  const { arming, containers, startup, feed, inForce } = parts;
  return {
    containers: containers.all.length,
    starting: startup.size,
    waiting: feed.waiting,
    unconfined: Object.keys(parts.confinement?.unconfined ?? {}).length,
    policies: (policies?.state.policies.length ?? 0) - inForce.refused,
    policiesRefused: (policies?.state.refused.size ?? 0) + inForce.refused,
    armed: arming.state?.armed ?? [],
    isArmed: arming.isArmed,
  };
}

export function statusOf(parts: Parts, followed: Followed): Record<string, unknown> {
  const { armed, isArmed, ...figures } = figuresOf(parts, followed);
  return {
    armed: isArmed,
    armedKinds: armed,
    disarmed: Object.fromEntries(parts.arming.state?.disarmed ?? []),
    ...figures,
    refused: Object.fromEntries(followed.policies?.state.refused ?? []),
    ...(parts.confinement === undefined ? {} : { unconfined: parts.confinement.unconfined }),
  };
}
