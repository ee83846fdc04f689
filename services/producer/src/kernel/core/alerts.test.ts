import type { CompiledRule } from '@alert-throttle/policy';
import { describe, expect, it } from 'vitest';
import { RULE_POSTURE } from '../kernel-port.ts';
import { alertEvent, intervalEvent } from '../testing/events.ts';
import { alertOfEvent, type EventContext } from './alert-of-event.ts';
import { nodeIdentity, strangerIdentity } from './container.ts';
import { thresholdAlert } from './threshold-alert.ts';

const node = { clusterName: 'default', hostName: 'prateek', nodeId: 'n1' };
const identity = {
  ...nodeIdentity(node),
  ContainerID: 'a4e3d52aeda8',
  NamespaceName: 'wordpress-mysql',
  PodName: 'wordpress-586468bf4f-8bf6x',
  Labels: 'app=wordpress',
  ContainerName: 'wordpress',
};
/** 2026-11-23T07:02:11Z is five seconds after this machine began. */
const micros = (timeNs: bigint) => Number((timeNs + 1_795_417_326_000_000_000n) / 1_000n);

function rule(number: number, name: string, more: Partial<CompiledRule> = {}): CompiledRule {
  return {
    number,
    policy: { name, namespace: 'wordpress-mysql' },
    kind: 'file',
    match: 'exact',
    path: '/etc/shadow',
    action: 'Block',
    readOnly: false,
    ownerOnly: false,
    severity: '5',
    tags: ['NIST', 'MITRE'],
    message: 'hands off',
    ...more,
  };
}

const block = rule(42, 'ksp-shadow');

function context(more: Partial<EventContext> = {}): EventContext {
  return { identity, rule: block, micros, enforcer: 'BPFLSM', ...more };
}

describe('an alert of the kernel', () => {
  it('has the fields and values of KubeArmor', () => {
    expect(alertOfEvent(alertEvent(), context())).toMatchObject({
      ...identity,
      NodeID: 'n1',
      EventTimeMicros: 1_795_417_331_000_001,
      Timestamp: 1_795_417_331,
      UpdatedTime: '2026-11-23T07:02:11.000001Z',
      Type: 'MatchedPolicy',
      Operation: 'File',
      Action: 'Block',
      Enforcer: 'BPFLSM',
      Result: 'Permission denied',
      PolicyName: 'ksp-shadow',
      Severity: '5',
      Tags: 'NIST,MITRE',
      ATags: ['NIST', 'MITRE'],
      Message: 'hands off',
      Source: '/usr/bin/cat',
      ProcessName: '/usr/bin/cat',
      ParentProcessName: '/usr/bin/bash',
      Resource: '/etc/shadow',
      Data: 'lsm=FILE_OPEN',
      EventData: { Lsm: 'FILE_OPEN', Flags: '0x8000' },
      HostPID: 1234,
      HostPPID: 1233,
      PID: 7,
      PPID: 1,
      UID: 33,
      Cwd: '/root',
      TTY: 'pts0',
      ExecEvent: { ExecID: '', ExecutableName: 'cat' },
      Throttle: null,
      Lost: null,
    });
  });

  it('of an exec names the parent as its source, and what was to run as the process', () => {
    const event = alertEvent({ operation: 'exec', kind: 'process', resource: '/usr/bin/apt' });
    expect(alertOfEvent(event, context())).toMatchObject({
      Operation: 'Process',
      Source: '/usr/bin/bash',
      ParentProcessName: '/usr/bin/bash',
      ProcessName: '/usr/bin/apt',
      Resource: '/usr/bin/apt',
      Data: 'lsm=SECURITY_BPRM_CHECK',
    });
  });

  it('of a socket says which', () => {
    const event = alertEvent({ operation: 'socketConnect', kind: 'network', args: [2, 1, 0, 443] });
    const socket = 'domain=AF_INET type=SOCK_STREAM protocol=TCP port=443';
    expect(alertOfEvent(event, context())).toMatchObject({
      Operation: 'Network',
      Resource: socket,
      Data: `lsm=SOCKET_CONNECT ${socket}`,
      EventData: { Domain: 'AF_INET', Type: 'SOCK_STREAM', Protocol: 'TCP', Port: '443', Resource: socket },
    });
  });

  it('of a capability is an operation that is not permitted', () => {
    const event = alertEvent({ operation: 'capable', kind: 'capability', args: [21], result: -1 });
    expect(alertOfEvent(event, context())).toMatchObject({
      Operation: 'Capabilities',
      Resource: 'CAP_SYS_ADMIN',
      Data: 'lsm=CAPABLE CAP_SYS_ADMIN',
      Result: 'Operation not permitted',
    });
  });

  it.each([
    ['an Audit rule', rule(42, 'p', { action: 'Audit' }), {}, 'Audit', 'p'],
    ['a Block rule of an audited pod', block, { audited: true }, 'Audit (Block)', 'ksp-shadow'],
    ['the posture', undefined, {}, 'Audit', 'DefaultPosture'],
    ['the posture of an audited pod', undefined, { audited: true }, 'Audit (Block)', 'DefaultPosture'],
  ])('that passed by %s comes from the monitor', (_, matched, flags, action, policyName) => {
    const event = alertEvent({
      result: 0,
      rule: matched === undefined ? RULE_POSTURE : 42,
      flags: { ...alertEvent().flags, ...flags },
    });
    expect(alertOfEvent(event, context({ rule: matched }))).toMatchObject({
      Action: action,
      Result: 'Passed',
      Enforcer: 'eBPF Monitor',
      PolicyName: policyName,
    });
  });

  it('that the posture refused is of DefaultPosture', () => {
    const event = alertEvent({ rule: RULE_POSTURE });
    expect(alertOfEvent(event, context({ rule: undefined }))).toMatchObject({
      Action: 'Block',
      PolicyName: 'DefaultPosture',
      Enforcer: 'BPFLSM',
      Severity: '',
    });
  });

  it('of a rule that nobody knows any more says so', () => {
    expect(alertOfEvent(alertEvent(), context({ rule: undefined }))).toMatchObject({
      Action: 'Block',
      PolicyName: 'unknown rule 42',
    });
  });

  it('marks what has no path to the root, and user ids that the schema has no room for', () => {
    const flags = { ...alertEvent().flags, unreachable: true };
    expect(alertOfEvent(alertEvent({ flags, uid: 4_294_967_295 }), context())).toMatchObject({
      Resource: '(unreachable)/etc/shadow',
      UID: -1,
    });
  });

  it('falls back to the names of tasks where paths are missing', () => {
    expect(alertOfEvent(alertEvent({ process: '', parent: '' }), context())).toMatchObject({
      Source: 'cat',
      ProcessName: 'cat',
      ParentProcessName: 'bash',
    });
  });
});

describe('a threshold event of the kernel', () => {
  const rules = new Map([
    [42, block],
    [43, rule(43, 'ksp-apt')],
    [44, rule(44, 'ksp-shadow')],
  ]);
  const ruleOf = (number: number) => rules.get(number);
  const about = { identity, ruleOf, micros, enforcer: 'BPFLSM', profile: 'default' };

  it('has the shape of those that the throttler makes, with the counts at its end', () => {
    expect(thresholdAlert(intervalEvent(), about)).toMatchObject({
      ...identity,
      Type: 'SystemEvent',
      Operation: 'AlertThresholdEnded',
      Enforcer: 'BPFLSM',
      Result: 'Passed',
      PolicyName: '',
      Action: '',
      PID: 0,
      EventTimeMicros: 1_795_417_361_000_000,
      MaxAlertsPerSec: 10,
      DroppingAlertsInterval: 30,
      EventData: {},
      Throttle: {
        IntervalStartMicros: 1_795_417_331_000_000,
        IntervalEndMicros: 1_795_417_361_000_000,
        DroppedAlerts: 30,
        LimitsVersion: 'on-10-30',
        Profile: 'default',
        Late: false,
        EndedBy: 'expired',
        Trigger: { Operation: 'File', PolicyName: 'ksp-shadow', Source: 'cat', Resource: '/etc/shadow' },
        DroppedByPolicy: [
          { Name: 'ksp-shadow', Alerts: 17 },
          { Name: 'ksp-apt', Alerts: 9 },
          { Name: 'other', Alerts: 4 },
        ],
        DroppedByOperation: [
          { Name: 'File', Alerts: 18 },
          { Name: 'Process', Alerts: 12 },
        ],
        FirstDropped: null,
        LastDropped: null,
        FirstDroppedMicros: 1_795_417_331_000_000,
        LastDroppedMicros: 1_795_417_360_000_000,
        LostAlerts: 3,
        Scope: '',
        Containers: 0,
      },
    });
  });

  it('at the crossing counts one alert, and no names', () => {
    const event = intervalEvent({ type: 'threshold', timeNs: 5_000_000_000n, dropped: 1, endedBy: '' });
    expect(thresholdAlert(event, about)).toMatchObject({
      Operation: 'AlertThreshold',
      EventTimeMicros: 1_795_417_331_000_000,
      Throttle: {
        DroppedAlerts: 1,
        EndedBy: '',
        DroppedByPolicy: [],
        DroppedByOperation: [],
        FirstDroppedMicros: 0,
        LastDroppedMicros: 0,
      },
    });
  });

  it('of the shared window says so, and how many share it', () => {
    const event = intervalEvent({ overflow: true, containers: 9, container: 0n, crossings: 3 });
    expect(thresholdAlert(event, { ...about, identity: nodeIdentity(node) })).toMatchObject({
      ContainerID: '',
      EventData: { Crossings: '3' },
      Throttle: { Scope: 'overflow', Containers: 9 },
    });
  });
});

describe('a container that did not become known', () => {
  it('has a name of its own, so that it is nobody else', () => {
    expect(strangerIdentity(node, 99n)).toMatchObject({ ContainerID: 'cgroup:99', NodeID: 'n1' });
  });
});
