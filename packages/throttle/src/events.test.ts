import { makeAlert } from '@alert-throttle/alert';
import { describe, expect, it } from 'vitest';
import { crossingDetails, thresholdAlert, thresholdEndedAlert } from './events.ts';
import type { IntervalEvent } from './interval-event.ts';

const crossing = makeAlert({
  ClusterName: 'default',
  HostName: 'prateek',
  NodeID: 'node-7',
  BootID: 'boot-1',
  Sequence: 12,
  EventTimeMicros: 1_795_417_331_123_456,
  NamespaceName: 'wordpress-mysql',
  PodName: 'wordpress-586468bf4f-8bf6x',
  Labels: 'app=wordpress',
  ContainerName: 'wordpress',
  ContainerID: 'a4e3d52aeda8',
  ContainerImage: 'docker.io/library/wordpress:4.8-apache',
  Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
  Type: 'MatchedPolicy',
  Operation: 'File',
  PolicyName: 'audit-etc',
  Severity: '5',
  Action: 'Audit',
  Enforcer: 'eBPF Monitor',
  Result: 'Passed',
  Source: '/usr/bin/cat',
  Resource: '/etc/passwd',
  PID: 71,
  PPID: 70,
  UID: 33,
});

const event: IntervalEvent = {
  ...crossingDetails(crossing),
  containerKey: 'a4e3d52aeda8',
  profile: 'default',
  stampMicros: 1_795_417_331_123_456,
  intervalStartMicros: 1_795_417_331_123_456,
  intervalEndMicros: 1_795_417_361_123_456,
  dropped: 1,
  droppedByPolicy: [{ Name: 'audit-etc', Alerts: 1 }],
  droppedByOperation: [{ Name: 'File', Alerts: 1 }],
  firstDropped: { Partition: 2, Offset: 40 },
  lastDropped: { Partition: 2, Offset: 40 },
  maxAlertPerSec: 2,
  throttleSec: 30,
  limitsVersion: 'on-2-30',
  late: false,
  endedBy: '',
};

const identity = {
  ClusterName: 'default',
  HostName: 'prateek',
  NodeID: 'node-7',
  NamespaceName: 'wordpress-mysql',
  PodName: 'wordpress-586468bf4f-8bf6x',
  Labels: 'app=wordpress',
  ContainerName: 'wordpress',
  ContainerID: 'a4e3d52aeda8',
  ContainerImage: 'docker.io/library/wordpress:4.8-apache',
  Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
};
const trigger = {
  Operation: 'File',
  PolicyName: 'audit-etc',
  Source: '/usr/bin/cat',
  Resource: '/etc/passwd',
};

describe('the records of an interval', () => {
  it('say that the threshold was crossed, by whom, and under which limits', () => {
    expect(thresholdAlert(event)).toEqual(
      makeAlert({
        ...identity,
        Type: 'SystemEvent',
        Operation: 'AlertThreshold',
        Enforcer: 'eBPF Monitor',
        Result: 'Passed',
        EventTimeMicros: 1_795_417_331_123_456,
        Timestamp: 1_795_417_331,
        UpdatedTime: '2026-11-23T07:02:11.123456Z',
        MaxAlertsPerSec: 2,
        DroppingAlertsInterval: 30,
        Throttle: {
          IntervalStartMicros: 1_795_417_331_123_456,
          IntervalEndMicros: 1_795_417_361_123_456,
          DroppedAlerts: 1,
          LimitsVersion: 'on-2-30',
          Profile: 'default',
          Late: false,
          EndedBy: '',
          Trigger: trigger,
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
      }),
    );
  });

  it('bear nothing of the alert that crossed but its container and the trigger', () => {
    expect(thresholdAlert(event)).toMatchObject({
      ...{ BootID: '', Sequence: 0, PolicyName: '', Severity: '', Action: '', PID: 0, PPID: 0, UID: 0 },
    });
  });

  it('say how the interval ended, what was dropped and where it lies', () => {
    const ended: IntervalEvent = {
      ...event,
      stampMicros: 1_795_417_361_123_456,
      dropped: 3,
      droppedByPolicy: [
        { Name: 'audit-etc', Alerts: 2 },
        { Name: 'audit-tmp', Alerts: 1 },
      ],
      droppedByOperation: [{ Name: 'File', Alerts: 3 }],
      lastDropped: { Partition: 2, Offset: 55 },
      late: true,
      endedBy: 'expired',
    };
    expect(thresholdEndedAlert(ended)).toMatchObject({
      ...identity,
      Operation: 'AlertThresholdEnded',
      EventTimeMicros: 1_795_417_361_123_456,
      Timestamp: 1_795_417_361,
      UpdatedTime: '2026-11-23T07:02:41.123456Z',
      MaxAlertsPerSec: 2,
      DroppingAlertsInterval: 30,
      Throttle: {
        IntervalStartMicros: 1_795_417_331_123_456,
        IntervalEndMicros: 1_795_417_361_123_456,
        DroppedAlerts: 3,
        Late: true,
        EndedBy: 'expired',
        Trigger: trigger,
        DroppedByPolicy: [
          { Name: 'audit-etc', Alerts: 2 },
          { Name: 'audit-tmp', Alerts: 1 },
        ],
        DroppedByOperation: [{ Name: 'File', Alerts: 3 }],
        FirstDropped: { Partition: 2, Offset: 40 },
        LastDropped: { Partition: 2, Offset: 55 },
        FirstDroppedMicros: 0,
        LastDroppedMicros: 0,
        LostAlerts: 0,
        Scope: '',
        Containers: 0,
      },
    });
  });

  it('have no container id for a host', () => {
    const host = crossingDetails(
      makeAlert({ NodeID: 'node-7', HostName: 'prateek', Type: 'MatchedHostPolicy' }),
    );
    expect(thresholdAlert({ ...event, ...host, containerKey: 'host:node-7' })).toMatchObject({
      ContainerID: '',
      NodeID: 'node-7',
      Owner: null,
    });
  });
});
