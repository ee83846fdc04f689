// What the kernel source says of itself in the stream: rules in force, rules that miss, a node that is armed or not, losses.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import type { TamperingEvent } from '../kernel-port.ts';
import { hookName } from './operations.ts';
import { stamped, type Identity } from './alert-of-event.ts';
import type { Misleading } from './rule-paths.ts';

interface SystemEvent {
  readonly operation: string;
  readonly identity: Identity;
  readonly micros: number;
  readonly enforcer: string;
  readonly message: string;
  readonly more?: Partial<Alert>;
}

function systemEvent({ operation, identity, micros, enforcer, message, more }: SystemEvent): Alert {
  return makeAlert({
    ...identity,
    ...stamped(micros),
    Type: 'SystemEvent',
    Operation: operation,
    Enforcer: enforcer,
    Result: 'Passed',
    Message: message,
    ...more,
  });
}

export interface Origin {
  readonly identity: Identity;
  readonly micros: number;
  readonly enforcer: string;
}

/** How long a container ran without its rules. */
export interface Exposure {
  /**
   * At most so long: from when the container's own program was not yet seen running to when its rules were in force. 0:
   * the rules were first. Undefined: it ran before the producer did.
   */
  readonly ms: number | undefined;
  /** From the making of its cgroup to its rules being in force, where that was seen. */
  readonly sinceCgroupMs: number | undefined;
  /** So long it was frozen meanwhile. */
  readonly heldMs: number | undefined;
}

export function policyApplied(
  origin: Origin,
  applied: { readonly policies: readonly string[]; readonly rules: number; readonly exposure: Exposure },
): Alert {
  const { policies, rules, exposure } = applied;
  const names = policies.length === 0 ? 'no policy' : policies.join(', ');
  return systemEvent({
    ...origin,
    operation: 'PolicyApplied',
    message: `in force: ${names}`,
    more: {
      EventData: {
        Policies: policies.join(','),
        Rules: String(rules),
        ...(exposure.ms === undefined ? {} : { ExecToEnforcedMs: exposure.ms.toFixed(3) }),
        ...(exposure.sinceCgroupMs === undefined
          ? {}
          : { CgroupToEnforcedMs: exposure.sinceCgroupMs.toFixed(3) }),
        ...(exposure.heldMs === undefined ? {} : { HeldMs: exposure.heldMs.toFixed(3) }),
      },
    },
  });
}

export function misleadingRule(origin: Origin, { rule, path, target }: Misleading): Alert {
  return systemEvent({
    ...origin,
    operation: 'PolicyWarning',
    message: `${path} leads to ${target}, which has another name: the rule is not in force for it`,
    more: {
      PolicyName: rule.policy.name,
      Severity: rule.severity,
      Resource: path,
      EventData: { Path: path, Target: target },
    },
  });
}

/** Policies or rule sets that are not in force, and why. */
export function policyRefused(origin: Origin, policyName: string, reason: string): Alert {
  return systemEvent({
    ...origin,
    operation: 'PolicyWarning',
    message: reason,
    more: { PolicyName: policyName },
  });
}

export function nodeArmed(origin: Origin, kinds: readonly string[]): Alert {
  return systemEvent({
    ...origin,
    operation: 'NodeArmed',
    message: `each kind of rule was tried, refused and reported: ${kinds.join(', ')}`,
    more: { EventData: { Armed: kinds.join(',') } },
  });
}

export function nodeDisarmed(
  origin: Origin,
  kinds: { readonly armed: readonly string[]; readonly disarmed: ReadonlyMap<string, string> },
): Alert {
  const reasons = [...kinds.disarmed].map(([kind, reason]) => `${kind}: ${reason}`);
  return systemEvent({
    ...origin,
    operation: 'NodeDisarmed',
    message: `not enforced: ${reasons.join('; ')}`,
    more: { EventData: { Armed: kinds.armed.join(','), Disarmed: [...kinds.disarmed.keys()].join(',') } },
  });
}

export interface Lost {
  readonly alerts: number;
  readonly first: number;
  readonly last: number;
  /** What `first` and `last` are. */
  readonly counter: string;
  readonly reason: string;
}

export function alertsLost(origin: Origin, { alerts, first, last, counter, reason }: Lost): Alert {
  return systemEvent({
    ...origin,
    operation: 'AlertsLost',
    message: '',
    more: {
      Enforcer: '',
      Result: '',
      Lost: { LostAlerts: alerts, First: first, Last: last, Counter: counter, Reason: reason },
    },
  });
}

/** A process of a container tried to get hold of our maps, programs or links. */
export function tampering(origin: Origin, event: TamperingEvent): Alert {
  return systemEvent({
    ...origin,
    operation: 'Tampering',
    message: 'a process in a container tried to open the maps, programs or links that enforce its policies',
    more: {
      Action: event.result < 0 ? 'Block' : 'Audit',
      Result: event.result < 0 ? 'Permission denied' : 'Passed',
      Source: event.process === '' ? event.comm : event.process,
      ProcessName: event.process === '' ? event.comm : event.process,
      ParentProcessName: event.parent === '' ? event.parentComm : event.parent,
      Resource: event.resource,
      Data: `lsm=${hookName(event.operation)}`,
      HostPID: event.hostPid,
      HostPPID: event.hostPpid,
      PID: event.pid,
      PPID: event.ppid,
      UID: event.uid | 0,
    },
  });
}
