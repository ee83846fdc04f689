// What alerts of the kernel source have to be, field by field: made from what was done in the guest, not from what came.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import { formatMicros } from '@alert-throttle/throttle';
import { expect } from 'vitest';
import {
  CLUSTER,
  HOST_NAME,
  ID,
  imageOf,
  LIMITS,
  NODE_ID,
  PODS,
  TEXTS,
  type Role,
} from '../../scenarios/cast.ts';
import type { Case } from '../../../packages/kernel/scenarios/enforcement/operations.ts';

export interface Pids {
  readonly host: number;
  readonly parent: number;
}

const WORKLOAD = '/usr/bin/workload';
const anyNumber = expect.any(Number) as number;

/** Who the alert is of. */
export function identityOf(role: Role): Partial<Alert> {
  const { namespace, labels } = PODS[role];
  return {
    ContainerID: ID[role],
    NodeID: NODE_ID,
    ClusterName: CLUSTER,
    HostName: HOST_NAME,
    NamespaceName: namespace,
    PodName: `${role}-0`,
    Labels: Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    ContainerName: role,
    ContainerImage: imageOf(role),
    Owner: { Ref: 'StatefulSet', Name: role, Namespace: namespace },
  };
}

/** Differs from run to run, and has to fit itself. */
function stampsOf({ BootID, Sequence, EventTimeMicros }: Alert): Partial<Alert> {
  return {
    ...{ BootID, Sequence, EventTimeMicros },
    Timestamp: Math.floor(EventTimeMicros / 1_000_000),
    UpdatedTime: formatMicros(EventTimeMicros),
  };
}

/** The same for what the throttler made, which has no number of its own. */
export function stampedAt(micros: number): Partial<Alert> {
  return {
    EventTimeMicros: micros,
    Timestamp: Math.floor(micros / 1_000_000),
    UpdatedTime: formatMicros(micros),
  };
}

/** By the container's first process, or a child of it. */
function processOf(pids: Pids | 'child'): Partial<Alert> {
  const self =
    pids === 'child'
      ? { HostPID: anyNumber, HostPPID: anyNumber, PID: anyNumber, PPID: 1 }
      : { HostPID: pids.host, HostPPID: pids.parent, PID: 1, PPID: 0 };
  return { ...self, UID: 0, Cwd: '/', TTY: '' };
}

export interface Verdict {
  readonly action: 'Block' | 'Audit' | 'Audit (Block)';
  readonly policy: string;
  readonly severity?: string;
}

function verdictOf({ action, policy, severity = String(TEXTS.severity) }: Verdict): Partial<Alert> {
  const refused = action === 'Block';
  return {
    Type: 'MatchedPolicy',
    Action: action,
    Enforcer: refused ? 'BPFLSM' : 'eBPF Monitor',
    Result: refused ? 'Permission denied' : 'Passed',
    PolicyName: policy,
    Severity: severity,
    Tags: TEXTS.tags.join(','),
    ATags: [...TEXTS.tags],
    Message: TEXTS.message,
  };
}

/** Of a file that was opened for reading, by one of a flood or by the container's first process. */
export function openAlert(
  seen: Alert,
  role: Role,
  path: string,
  verdict: Verdict,
  pids: Pids | 'child',
): Alert {
  return makeAlert({
    ...identityOf(role),
    ...stampsOf(seen),
    ...verdictOf(verdict),
    ...processOf(pids),
    Operation: 'File',
    Source: WORKLOAD,
    ProcessName: WORKLOAD,
    // A child's parent is the first process.
    ParentProcessName: pids === 'child' ? WORKLOAD : (expect.any(String) as string),
    Resource: path,
    Data: 'lsm=FILE_OPEN',
    EventData: { Lsm: 'FILE_OPEN', Flags: '0x8000' },
    ExecEvent: { ExecID: '', ExecutableName: 'workload' },
  });
}

/** Of one of the operations. */
export function operationAlert(
  seen: Alert,
  role: Role,
  { alert, operation }: Case,
  verdict: Verdict,
  pids: Pids,
): Alert {
  const isExec = operation[0] === 'exec';
  const { source = WORKLOAD, more = {}, lsm } = alert;
  const details =
    alert.operation === 'Network' || alert.operation === 'Capabilities' ? ` ${alert.resource}` : '';
  const refused = verdictOf(verdict);
  return makeAlert({
    ...identityOf(role),
    ...stampsOf(seen),
    ...refused,
    ...(alert.error === 'EPERM' && verdict.action === 'Block' ? { Result: 'Operation not permitted' } : {}),
    ...processOf(isExec ? 'child' : pids),
    Operation: alert.operation,
    Source: source,
    Resource: alert.resource,
    // Of what is executed, the source is the parent, and the process what was to be run.
    ProcessName: lsm === 'SECURITY_BPRM_CHECK' ? alert.resource : source,
    ParentProcessName: isExec ? WORKLOAD : (expect.any(String) as string),
    Data: `lsm=${lsm}${details}`,
    EventData: { Lsm: lsm, ...more },
    ExecEvent: { ExecID: '', ExecutableName: expect.stringMatching(/^[\w.-]{1,15}$/) as string },
  });
}

export interface IntervalFacts {
  readonly role: Role;
  readonly enforcer: 'BPFLSM' | 'eBPF Monitor';
  readonly policy: string;
  readonly path: string;
  /** What the trigger's source is called: its path, or its name where the kernel says it. */
  readonly source: string;
}

/** AlertThreshold where `dropped` is undefined, else AlertThresholdEnded with that count. */
export function thresholdAlert(seen: Alert, facts: IntervalFacts, dropped: number | undefined): Alert {
  const { role, enforcer, policy, path, source } = facts;
  const startMicros = seen.Throttle?.IntervalStartMicros ?? NaN;
  const endMicros = startMicros + LIMITS.throttleSec * 1_000_000;
  const ended = dropped !== undefined;
  const byKernel = enforcer === 'BPFLSM';
  return makeAlert({
    ...identityOf(role),
    // The throttler's have no number; their identity is the interval.
    ...(byKernel ? { BootID: seen.BootID, Sequence: seen.Sequence } : {}),
    ...stampedAt(ended ? endMicros : startMicros),
    Type: 'SystemEvent',
    Operation: ended ? 'AlertThresholdEnded' : 'AlertThreshold',
    Enforcer: enforcer,
    Result: 'Passed',
    MaxAlertsPerSec: LIMITS.maxAlertPerSec,
    DroppingAlertsInterval: LIMITS.throttleSec,
    Throttle: {
      IntervalStartMicros: startMicros,
      IntervalEndMicros: endMicros,
      DroppedAlerts: dropped ?? 1,
      LimitsVersion: `on-${LIMITS.maxAlertPerSec}-${LIMITS.throttleSec}`,
      Profile: 'default',
      Late: false,
      EndedBy: ended ? 'expired' : '',
      Trigger: { Operation: 'File', PolicyName: policy, Source: source, Resource: path },
      DroppedByPolicy: ended ? [{ Name: policy, Alerts: dropped }] : [],
      DroppedByOperation: ended ? [{ Name: 'File', Alerts: dropped }] : [],
      FirstDropped: ended && !byKernel ? (expect.objectContaining({ Partition: anyNumber }) as never) : null,
      LastDropped: ended && !byKernel ? (expect.objectContaining({ Partition: anyNumber }) as never) : null,
      FirstDroppedMicros: ended && byKernel ? startMicros : 0,
      LastDroppedMicros: ended && byKernel ? anyNumber : 0,
      LostAlerts: 0,
      Scope: '',
      Containers: 0,
    },
  });
}
