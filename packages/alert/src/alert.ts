/** The alert as a value: how to make one, and the two questions that decide how the throttle treats it. */
import { defaultAlert, type Alert } from './generated/alert.ts';

/** The first fields of the schema: all that the throttle needs of an alert. */
export type LeadingFields = Pick<
  Alert,
  | 'ContainerID'
  | 'NodeID'
  | 'BootID'
  | 'Sequence'
  | 'EventTimeMicros'
  | 'Type'
  | 'Operation'
  | 'Action'
  | 'Enforcer'
  | 'NamespaceName'
  | 'PolicyName'
  | 'Severity'
>;

/** An alert with the schema's default in every field that is not given. */
export function makeAlert(fields: Partial<Alert> = {}): Alert {
  return Object.assign(defaultAlert(), fields);
}

/** Whether the alert counts against its container's limits. The kernel throttles those of other enforcers itself. */
export function isEligible(alert: Pick<LeadingFields, 'Type' | 'Action' | 'Enforcer'>): boolean {
  return (
    alert.Enforcer === 'eBPF Monitor' &&
    (alert.Type === 'MatchedPolicy' || alert.Type === 'MatchedHostPolicy') &&
    alert.Action.includes('Audit')
  );
}

/** The key of the alert's records: its container, or its node for a host alert. */
export function containerKey(alert: Pick<LeadingFields, 'ContainerID' | 'NodeID'>): string {
  return alert.ContainerID === '' ? `host:${alert.NodeID}` : alert.ContainerID;
}
