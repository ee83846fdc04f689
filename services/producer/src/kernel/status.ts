// What the kernel source says of itself to people: numbers for the metrics, and the state for /readyz and alertctl.
import type { Parts } from './assemble.ts';
import type { Followed } from './begin.ts';
import { policyStatus, type PolicyStatus } from './core/policy-status.ts';
import type { KernelFigures } from './metrics.ts';

const MAX_POLICIES = 500;

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
    held: parts.gate.size,
    policyStatus: statusOfPolicies(parts, followed),
  };
}

/** The worst first, and not without end: /readyz is asked often. */
function statusOfPolicies({ enforcement, containers }: Parts, { policies }: Followed): PolicyStatus[] {
  const all = policyStatus(policies?.state.policies ?? [], enforcement.unenforceable, containers.all);
  return all.sort((left, right) => rankOf(left) - rankOf(right)).slice(0, MAX_POLICIES);
}

function rankOf({ state }: PolicyStatus): number {
  return ['refused', 'partly', 'waiting', 'in force', 'no container'].indexOf(state);
}
