// What became of each policy: where it is in force, where not yet or not at all, and why. For people who ask.
import { isLeaving, type NodeContainer } from './node-container.ts';

export const POLICY_STATES = ['in force', 'partly', 'waiting', 'refused', 'no container'] as const;
export type PolicyState = (typeof POLICY_STATES)[number];

export interface PolicyStatus {
  /** `namespace/name`. */
  readonly policy: string;
  readonly state: PolicyState;
  /** Containers it applies to. */
  readonly containers: number;
  /** Of these: it is in force as it stands. */
  readonly inForce: number;
  /** Of these: its own program does not run yet. The rules are in force from its first exec on. */
  readonly starting: number;
  /** Of these: something else is in force, or nothing. */
  readonly refused: number;
  /** Why it is refused, or not in force for all that it names: each reason once, with a container. */
  readonly reasons: readonly string[];
}

/** More do not help anybody; the log has all. */
const MAX_REASONS = 5;

interface Named {
  readonly name: string;
  readonly namespace: string;
}

/** `unenforceable`: policies that are in force nowhere on this node, with the reason. */
export function policyStatus<P extends Named>(
  policies: readonly P[],
  unenforceable: ReadonlyMap<P, string>,
  containers: readonly NodeContainer[],
): PolicyStatus[] {
  const byPolicy = new Map<string, NodeContainer[]>();
  for (const container of containers) {
    if (isLeaving(container)) continue;
    for (const name of container.wanted) {
      const key = `${container.known.subject.namespace}/${name}`;
      byPolicy.set(key, [...(byPolicy.get(key) ?? []), container]);
    }
  }
  return policies.map((policy) => {
    const key = `${policy.namespace}/${policy.name}`;
    const reason = unenforceable.get(policy);
    return reason === undefined ? statusOf(key, byPolicy.get(key) ?? []) : nowhere(key, reason);
  });
}

function nowhere(policy: string, reason: string): PolicyStatus {
  return {
    ...{ policy, state: 'refused', containers: 0, inForce: 0, starting: 0, refused: 0 },
    reasons: [reason],
  };
}

function statusOf(policy: string, containers: readonly NodeContainer[]): PolicyStatus {
  const refused = containers.filter(({ refusedFor }) => refusedFor !== undefined);
  const others = containers.filter(({ refusedFor }) => refusedFor === undefined);
  const starting = others.filter(({ life, enforced }) => life.phase !== 'running' || enforced === undefined);
  const inForce = others.length - starting.length;
  const reasons = new Map<string, string>();
  for (const container of containers)
    for (const reason of reasonsOf(container))
      if (!reasons.has(reason)) reasons.set(reason, `${container.known.identity.ContainerID}: ${reason}`);
  return {
    policy,
    state: stateOf(containers.length, inForce, refused.length),
    containers: containers.length,
    ...{ inForce, starting: starting.length, refused: refused.length },
    reasons: [...reasons.values()].slice(0, MAX_REASONS),
  };
}

function stateOf(all: number, inForce: number, refused: number): PolicyState {
  if (all === 0) return 'no container';
  if (inForce === all) return 'in force';
  if (refused === all) return 'refused';
  return refused > 0 ? 'partly' : 'waiting';
}

function reasonsOf({ refusedFor, unanswered }: NodeContainer): string[] {
  const paths = [...unanswered].map(([path, reason]) => `${path} cannot be followed: ${reason}`);
  return refusedFor === undefined ? paths : [refusedFor, ...paths];
}
