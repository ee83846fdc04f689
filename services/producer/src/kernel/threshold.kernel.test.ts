// The scenario that KubeArmor documents for its throttling, through the producer: of five executions in a row, with two
// alerts a second and a minute of silence, two alerts and one AlertThreshold are left. Each record in full.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import { runGuestOrThrow } from '@alert-throttle/guest';
import { formatMicros } from '@alert-throttle/throttle';
import { beforeAll, describe, expect, it } from 'vitest';

const WORKLOAD = '/usr/bin/workload';
const anyNumber = expect.any(Number) as number;

const IDENTITY: Partial<Alert> = {
  ContainerID: `${'d'.repeat(63)}4`,
  NodeID: 'guest',
  ClusterName: 'c1',
  HostName: 'guest',
  NamespaceName: 'shop',
  PodName: 'web-0',
  Labels: 'app=web,tier=front',
  ContainerName: 'web',
  ContainerImage: 'docker.io/library/web:1',
  Owner: { Ref: 'StatefulSet', Name: 'web', Namespace: 'shop' },
};

/** What differs from run to run; that these numbers fit each other is a test of its own. */
function stampsOf({ BootID, Sequence, EventTimeMicros }: Alert): Partial<Alert> {
  return {
    ...{ BootID, Sequence, EventTimeMicros },
    Timestamp: Math.floor(EventTimeMicros / 1_000_000),
    UpdatedTime: formatMicros(EventTimeMicros),
  };
}

function refused(seen: Alert, path: string): Alert {
  return makeAlert({
    ...IDENTITY,
    ...stampsOf(seen),
    Type: 'MatchedPolicy',
    Operation: 'Process',
    Action: 'Block',
    Enforcer: 'BPFLSM',
    Result: 'Permission denied',
    PolicyName: 'block-tools',
    Severity: '5',
    Tags: 'NIST,PCI',
    ATags: ['NIST', 'PCI'],
    Message: 'no tools',
    ...{ HostPID: anyNumber, HostPPID: anyNumber, PID: anyNumber, PPID: anyNumber, UID: 0 },
    Source: WORKLOAD,
    ParentProcessName: WORKLOAD,
    ProcessName: path,
    Resource: path,
    Data: 'lsm=SECURITY_BPRM_CHECK',
    EventData: { Lsm: 'SECURITY_BPRM_CHECK' },
    Cwd: '/',
    ExecEvent: { ExecID: '', ExecutableName: 'workload' },
  });
}

function threshold(seen: Alert): Alert {
  return makeAlert({
    ...IDENTITY,
    ...stampsOf(seen),
    Type: 'SystemEvent',
    Operation: 'AlertThreshold',
    Enforcer: 'BPFLSM',
    Result: 'Passed',
    MaxAlertsPerSec: 2,
    DroppingAlertsInterval: 60,
    Throttle: {
      IntervalStartMicros: seen.EventTimeMicros,
      IntervalEndMicros: seen.EventTimeMicros + 60_000_000,
      DroppedAlerts: 1,
      LimitsVersion: 'on-2-60',
      Profile: 'default',
      Late: false,
      EndedBy: '',
      Trigger: {
        Operation: 'Process',
        PolicyName: 'block-tools',
        Source: 'workload',
        Resource: '/usr/bin/dynamic',
      },
      DroppedByPolicy: [],
      DroppedByOperation: [],
      FirstDropped: null,
      LastDropped: null,
      FirstDroppedMicros: 0,
      LastDroppedMicros: 0,
      LostAlerts: 0,
      Scope: '',
      Containers: 0,
    },
  });
}

describe('two alerts a second, and then none for a minute', () => {
  const reports = new Map<string, Readonly<Record<string, unknown>>>();
  let own: Alert[] = [];

  beforeAll(async () => {
    const scenarios = [{ module: 'services/producer/scenarios/threshold.ts' }];
    const { lines } = await runGuestOrThrow({ kernel: '6.1', scenarios, timeoutMs: 1_200_000 });
    for (const { name, data } of lines) reports.set(name, data);
    own = reports.get('records')?.['own'] as Alert[];
  }, 1_300_000);

  it('refuses all five executions, and counts each', () => {
    expect(reports.get('tried')).toEqual({
      outcomes: Array<string>(5).fill('EACCES'),
      counted: { matched: 5, dropped: 3, lost: 0 },
    });
    expect(reports.get('stopped')).toEqual({ code: 0 });
  });

  it('has exactly two alerts and one AlertThreshold, and nothing after it', () => {
    expect(own.map(({ Operation }) => Operation)).toEqual([
      'PolicyApplied',
      'Process',
      'Process',
      'AlertThreshold',
    ]);
    const [, first, second, third] = own as [Alert, Alert, Alert, Alert];
    expect([first, second, third]).toEqual([
      refused(first, '/usr/bin/dynamic'),
      refused(second, '/usr/bin/busybox'),
      threshold(third),
    ]);
  });

  it('numbers them in order, and tells the two processes of one parent apart', () => {
    const [applied, first, second, third] = own as [Alert, Alert, Alert, Alert];
    for (const [before, after] of [
      [applied, first],
      [first, second],
      [second, third],
    ] as const) {
      expect(after.BootID).toBe(before.BootID);
      expect(after.Sequence).toBeGreaterThan(before.Sequence);
      expect(after.EventTimeMicros).toBeGreaterThan(before.EventTimeMicros);
    }
    expect(first.BootID).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).toMatchObject({ HostPPID: first.HostPPID, PPID: first.PPID });
    expect(second.HostPID).toBeGreaterThan(first.HostPID);
    expect(second.PID).toBe(first.PID + 1);
  });
});
