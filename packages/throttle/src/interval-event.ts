/** What happened to one interval, with all that it takes to write its AlertThreshold or AlertThresholdEnded record. */
import type { Alert } from '@alert-throttle/alert';

export type ThrottleRecord = NonNullable<Alert['Throttle']>;
export type Trigger = NonNullable<ThrottleRecord['Trigger']>;
export type LogPosition = NonNullable<ThrottleRecord['FirstDropped']>;
export type NameCount = ThrottleRecord['DroppedByPolicy'][number];

/** The fields of an alert that say whose it is. Taken from the alert that crossed. ContainerID is empty for a host. */
export type ContainerIdentity = Pick<
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

/** What a crossing needs of the full alert, which is decoded only then. */
export interface CrossingDetails {
  readonly identity: ContainerIdentity;
  readonly trigger: Trigger;
}

/** Why an interval was reported: it ran out, throttling was turned off, or the container was deleted. '' at the crossing. */
export type EndedBy = '' | 'expired' | 'limits' | 'container';

/** A value of its own: it stays as it is when the fold goes on. */
export interface IntervalEvent extends CrossingDetails {
  readonly containerKey: string;
  readonly profile: string;
  /** The crossing, or the end of the interval; where it was ended early, the window's last time. */
  readonly stampMicros: number;
  readonly intervalStartMicros: number;
  /** As set at the crossing, also where the interval was ended early. */
  readonly intervalEndMicros: number;
  /** 1 at the crossing; then what this report counts. */
  readonly dropped: number;
  readonly droppedByPolicy: readonly NameCount[];
  readonly droppedByOperation: readonly NameCount[];
  readonly firstDropped: LogPosition | null;
  readonly lastDropped: LogPosition | null;
  /** As in force at the crossing. */
  readonly maxAlertPerSec: number;
  readonly throttleSec: number;
  readonly limitsVersion: string;
  /** Counts only what arrived after the interval was reported. */
  readonly late: boolean;
  readonly endedBy: EndedBy;
}

/** Where the fold's events go, called in output order. */
export interface FoldSink {
  threshold(event: IntervalEvent): void;
  ended(event: IntervalEvent): void;
}
