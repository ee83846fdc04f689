import { describe, expect, it } from 'vitest';
import { makeAlert } from './alert.ts';
import { formatAlert } from './format.ts';

/** KubeArmor's documented AlertThreshold (getting-started/alert_throttling.md). */
const DOCUMENTED = `ClusterName: default
HostName: prateek
NamespaceName: wordpress-mysql
PodName: wordpress-586468bf4f-8bf6x
Labels: app=wordpress
ContainerName: wordpress
ContainerID: a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f
ContainerImage: docker.io/library/wordpress:4.8-apache@sha256:6216f64ab88fc51d311e38c7f69ca3f9aaba621492b4f1fa93ddf63093768845
Type: SystemEvent
Operation: AlertThreshold
Enforcer: BPFLSM
Result: Passed
DroppingAlertsInterval: 30
MaxAlertsPerSec: 2
Owner: map[Name:wordpress Namespace:wordpress-mysql Ref:Deployment]
PPID: 0
UID: 0`;

const documented = makeAlert({
  ClusterName: 'default',
  HostName: 'prateek',
  NamespaceName: 'wordpress-mysql',
  PodName: 'wordpress-586468bf4f-8bf6x',
  Labels: 'app=wordpress',
  ContainerName: 'wordpress',
  ContainerID: 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f',
  ContainerImage:
    'docker.io/library/wordpress:4.8-apache@sha256:6216f64ab88fc51d311e38c7f69ca3f9aaba621492b4f1fa93ddf63093768845',
  Type: 'SystemEvent',
  Operation: 'AlertThreshold',
  Enforcer: 'BPFLSM',
  Result: 'Passed',
  DroppingAlertsInterval: 30,
  MaxAlertsPerSec: 2,
  Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
});

describe('formatAlert', () => {
  it("prints KubeArmor's documented AlertThreshold to the letter", () => {
    expect(formatAlert(documented)).toBe(DOCUMENTED);
  });

  it('prints what the throttle adds after it', () => {
    const text = formatAlert({
      ...documented,
      Operation: 'AlertThresholdEnded',
      Throttle: {
        IntervalStartMicros: 1763881170000123,
        IntervalEndMicros: 1763881200000123,
        DroppedAlerts: 26,
        LimitsVersion: 'v1',
        Profile: 'default',
        Late: true,
        EndedBy: 'expired',
        Trigger: { Operation: 'File', PolicyName: 'p1', Source: '', Resource: '/etc/shadow' },
        DroppedByPolicy: [
          { Name: 'p2', Alerts: 20 },
          { Name: 'p1', Alerts: 6 },
        ],
        DroppedByOperation: [],
        FirstDropped: { Partition: 0, Offset: 0 },
        LastDropped: { Partition: 0, Offset: 25 },
        FirstDroppedMicros: 0,
        LastDroppedMicros: 0,
        LostAlerts: 0,
        Scope: '',
        Containers: 0,
      },
      Lost: { LostAlerts: 3, First: 7, Last: 9, Counter: 'sequence', Reason: 'spool full' },
    });
    expect(text).toBe(
      [
        DOCUMENTED.replace('AlertThreshold', 'AlertThresholdEnded'),
        'IntervalStartMicros: 1763881170000123 (2025-11-23T06:59:30.000123Z)',
        'IntervalEndMicros: 1763881200000123 (2025-11-23T07:00:00.000123Z)',
        'DroppedAlerts: 26',
        'LimitsVersion: v1',
        'Profile: default',
        'Late: true',
        'EndedBy: expired',
        'Trigger: map[Operation:File PolicyName:p1 Resource:/etc/shadow]',
        'DroppedByPolicy: [p2:20 p1:6]',
        'FirstDropped: map[Offset:0 Partition:0]',
        'LastDropped: map[Offset:25 Partition:0]',
        'LostAlerts: 3',
        'First: 7',
        'Last: 9',
        'Counter: sequence',
        'Reason: spool full',
      ].join('\n'),
    );
  });

  it('prints only the two ids of an alert that has nothing else', () => {
    expect(formatAlert(makeAlert({ Owner: { Ref: '', Name: '', Namespace: '' } }))).toBe('PPID: 0\nUID: 0');
  });

  it('prints lists and maps as Go does, maps by key', () => {
    const alert = makeAlert({ ATags: ['NIST', 'MITRE'], EventData: { Syscall: 'open', Fd: '3' } });
    expect(formatAlert(alert)).toBe(
      'ATags: [NIST MITRE]\nEventData: map[Fd:3 Syscall:open]\nPPID: 0\nUID: 0',
    );
  });

  it('lets no text from inside a container forge a line', () => {
    const alert = makeAlert({ Resource: 'a\nResult: Passed\u2028\u001b[2J', EventData: { 'x\ny': 'z\r' } });
    expect(formatAlert(alert)).toBe(
      'Resource: a\\u000aResult: Passed\\u2028\\u001b[2J\nEventData: map[x\\u000ay:z\\u000d]\nPPID: 0\nUID: 0',
    );
  });
});
