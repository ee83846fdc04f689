// An event of the kernel as an Alert, with the fields and values of KubeArmor's own.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import {
  alertText,
  CAPABILITIES,
  DEFAULT_POSTURE,
  type AlertText,
  type CompiledRule,
} from '@alert-throttle/policy';
import { formatMicros, secondsOf } from '../../core/event-time.ts';
import { RULE_POSTURE, type AlertEvent, type Operation } from '../kernel-port.ts';
import { alertOperation, hookName, socketText } from './operations.ts';

/** Whose alert it is. ContainerID is empty for the node itself. */
export type Identity = Pick<
  Alert,
  | 'ClusterName'
  | 'HostName'
  | 'NodeID'
  | 'NamespaceName'
  | 'PodName'
  | 'Labels'
  | 'ContainerName'
  | 'ContainerID'
  | 'ContainerImage'
  | 'Owner'
>;

export interface EventContext {
  readonly identity: Identity;
  /** The rule of that number; undefined where it is not known, and for the posture. */
  readonly rule: CompiledRule | undefined;
  /** The kernel's time as time of day. */
  readonly micros: (timeNs: bigint) => number;
  /** In alerts of what was refused: BPFLSM. */
  readonly enforcer: string;
}

/** The three fields of a time. */
export function stamped(micros: number): Pick<Alert, 'EventTimeMicros' | 'Timestamp' | 'UpdatedTime'> {
  return {
    EventTimeMicros: micros,
    Timestamp: secondsOf(micros),
    UpdatedTime: formatMicros(micros),
  };
}

export function alertOfEvent(event: AlertEvent, context: EventContext): Alert {
  const text = textOf(event, context.rule);
  const lsm = hookName(event.operation);
  const details = detailsOf(event);
  return makeAlert({
    ...context.identity,
    ...stamped(context.micros(event.timeNs)),
    Type: 'MatchedPolicy',
    Operation: text.operation,
    Action: text.action,
    Enforcer: text.enforcer === 'lsm' ? context.enforcer : text.enforcer,
    Result: text.result,
    PolicyName: text.policyName,
    Severity: text.severity,
    Tags: text.tags.join(','),
    ATags: [...text.tags],
    Message: text.message,
    HostPID: event.hostPid,
    HostPPID: event.hostPpid,
    PID: event.pid,
    PPID: event.ppid,
    // The schema has 32 bits with a sign: "nobody" of old, 4294967295, is -1.
    UID: event.uid | 0,
    ...namesOf(event),
    Data: [`lsm=${lsm}`, ...(details.text === '' ? [] : [details.text])].join(' '),
    EventData: { Lsm: lsm, ...details.fields, ...remarksOf(event, context.rule) },
    Cwd: event.cwd,
    TTY: event.tty,
    ExecEvent: { ExecID: '', ExecutableName: event.comm },
  });
}

/** As the policy says it; of a rule that is not known any more, what the event itself says. */
function textOf(event: AlertEvent, rule: CompiledRule | undefined): AlertText {
  const refused = event.result < 0;
  const posture = refused || event.flags.audited ? 'block' : 'audit';
  const settings = {
    audited: event.flags.audited,
    posture: { process: posture, file: posture, network: posture, capability: posture } as const,
  };
  const known = event.rule === RULE_POSTURE || rule !== undefined;
  const text = alertText(settings, event.kind, event.rule === RULE_POSTURE ? undefined : rule);
  const base = text ?? fallback(event);
  return {
    ...base,
    operation: alertOperation(event.operation),
    policyName: known ? base.policyName : `unknown rule ${event.rule}`,
    result: refused ? refusal(event.result) : 'Passed',
    enforcer: refused ? 'lsm' : 'eBPF Monitor',
  };
}

function refusal(result: number): AlertText['result'] {
  return result === -1 ? 'Operation not permitted' : 'Permission denied';
}

function fallback(event: AlertEvent): AlertText {
  const refused = event.result < 0;
  return {
    policyName: DEFAULT_POSTURE,
    severity: '',
    tags: [],
    message: '',
    operation: alertOperation(event.operation),
    action: refused ? 'Block' : 'Audit',
    result: refused ? refusal(event.result) : 'Passed',
    enforcer: refused ? 'lsm' : 'eBPF Monitor',
  };
}

/** As KubeArmor names them: of an exec, the source is the parent, and the process what was to be run. */
function namesOf(
  event: AlertEvent,
): Pick<Alert, 'Source' | 'Resource' | 'ProcessName' | 'ParentProcessName'> {
  const parent = event.parent === '' ? event.parentComm : event.parent;
  const process = event.process === '' ? event.comm : event.process;
  const resource = resourceOf(event);
  if (event.operation === 'exec')
    return { Source: parent, Resource: resource, ProcessName: resource, ParentProcessName: parent };
  return { Source: process, Resource: resource, ProcessName: process, ParentProcessName: parent };
}

function resourceOf({ kind, args, flags, resource }: AlertEvent): string {
  if (kind === 'network') return socketText(args);
  if (kind === 'capability') return capabilityName(args[0] ?? 0);
  return flags.unreachable ? `(unreachable)${resource}` : resource;
}

function capabilityName(number: number): string {
  const name: string | undefined = CAPABILITIES[number];
  return name === undefined ? `CAP_${number}` : `CAP_${name.toUpperCase()}`;
}

function detailsOf(event: AlertEvent): { text: string; fields: Record<string, string> } {
  if (event.kind === 'network') {
    const text = socketText(event.args);
    const fields = Object.fromEntries(text.split(' ').map((part) => entryOf(part)));
    return { text, fields: { ...fields, Resource: text } };
  }
  if (event.kind === 'capability') return { text: resourceOf(event), fields: {} };
  const flags = event.operation === 'open' ? { Flags: `0x${(event.args[0] ?? 0).toString(16)}` } : {};
  return { text: '', fields: { ...flags, ...(event.flags.write ? { Access: 'write' } : {}) } };
}

function entryOf(part: string): [string, string] {
  const at = part.indexOf('=');
  return [`${part.charAt(0).toUpperCase()}${part.slice(1, at)}`, part.slice(at + 1)];
}

/** What a reader should know and no field of KubeArmor's says. */
function remarksOf({ flags }: AlertEvent, rule: CompiledRule | undefined): Record<string, string> {
  return {
    ...(flags.hint && rule ? { ProtectedPath: rule.path } : {}),
    ...(flags.truncated ? { Truncated: 'true' } : {}),
  };
}

/** For counts by operation: several of the kernel's operations are one of KubeArmor's. */
export function countsByOperation(
  counts: readonly { readonly operation: Operation; readonly alerts: number }[],
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { operation, alerts } of counts) {
    const name = alertOperation(operation);
    sums.set(name, (sums.get(name) ?? 0) + alerts);
  }
  return sums;
}
