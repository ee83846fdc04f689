/** The fold's events as records. Made from the event alone, so that a replay gives the same bytes. */
import { makeAlert, type Alert } from '@alert-throttle/alert';
import type { CrossingDetails, IntervalEvent } from './interval-event.ts';
import { formatMicros } from './time-text.ts';

/** Enforcer of the audit path, the only one whose alerts are throttled here. */
const AUDIT_ENFORCER = 'eBPF Monitor';

/** Whose alert it is, and what made it. */
export function crossingDetails(alert: Alert): CrossingDetails {
  return {
    identity: {
      ClusterName: alert.ClusterName,
      HostName: alert.HostName,
      NodeID: alert.NodeID,
      NamespaceName: alert.NamespaceName,
      PodName: alert.PodName,
      Labels: alert.Labels,
      ContainerName: alert.ContainerName,
      ContainerID: alert.ContainerID,
      ContainerImage: alert.ContainerImage,
      Owner: alert.Owner,
    },
    trigger: {
      Operation: alert.Operation,
      PolicyName: alert.PolicyName,
      Source: alert.Source,
      Resource: alert.Resource,
    },
  };
}

/** The record that says that a container crossed its threshold. */
export function thresholdAlert(event: IntervalEvent): Alert {
  return record(event, 'AlertThreshold');
}

/** The record that says how an interval ended, and what was dropped in it. */
export function thresholdEndedAlert(event: IntervalEvent): Alert {
  return record(event, 'AlertThresholdEnded');
}

function record(event: IntervalEvent, operation: 'AlertThreshold' | 'AlertThresholdEnded'): Alert {
  const ended = operation === 'AlertThresholdEnded';
  return makeAlert({
    ...event.identity,
    Type: 'SystemEvent',
    Operation: operation,
    Enforcer: AUDIT_ENFORCER,
    Result: 'Passed',
    EventTimeMicros: event.stampMicros,
    Timestamp: Math.floor(event.stampMicros / 1_000_000),
    UpdatedTime: formatMicros(event.stampMicros),
    MaxAlertsPerSec: event.maxAlertPerSec,
    DroppingAlertsInterval: event.throttleSec,
    Throttle: {
      IntervalStartMicros: event.intervalStartMicros,
      IntervalEndMicros: event.intervalEndMicros,
      DroppedAlerts: event.dropped,
      LimitsVersion: event.limitsVersion,
      Profile: event.profile,
      Late: event.late,
      EndedBy: event.endedBy,
      Trigger: event.trigger,
      DroppedByPolicy: ended ? [...event.droppedByPolicy] : [],
      DroppedByOperation: ended ? [...event.droppedByOperation] : [],
      FirstDropped: ended ? event.firstDropped : null,
      LastDropped: ended ? event.lastDropped : null,
      // Only the kernel has something to say here.
      FirstDroppedMicros: 0,
      LastDroppedMicros: 0,
      LostAlerts: 0,
      Scope: '',
      Containers: 0,
    },
  });
}
