// Generated from schemas/Alert.avsc by `npm run generate`; do not edit.

/** One security alert of one container or host. Field names, types and spelling are those of KubeArmor's feeder.Alert; what KubeArmor lacks is added. The first twelve fields are all that the throttler reads, so they stay first, in this order. Every field has a default and there are no enums, so that every version can read every other. */
export interface Alert {
  /** Full container id; empty for a host alert. */
  ContainerID: string;
  /** Stable id of the node that raised the alert. */
  NodeID: string;
  /** Names one life of the producer's spool; Sequence counts within it. */
  BootID: string;
  /** Grows by one with each alert of one BootID, from 1. 0: none. */
  Sequence: number;
  /** When the kernel saw the event. 0: unknown. */
  EventTimeMicros: number;
  /** MatchedPolicy, MatchedHostPolicy, SystemEvent, ... */
  Type: string;
  /** Process, File, Network, ...; AlertThreshold, AlertThresholdEnded, AlertsLost. */
  Operation: string;
  /** Audit, Audit (Allow), Audit (Block), Block; empty for a SystemEvent. */
  Action: string;
  /** BPFLSM, AppArmor, eBPF Monitor, ... */
  Enforcer: string;
  NamespaceName: string;
  PolicyName: string;
  /** 1 to 10; empty where the policy has none. */
  Severity: string;
  /** Unix seconds at which user space built the alert. */
  Timestamp: number;
  /** The same moment as UTC text with microseconds. */
  UpdatedTime: string;
  ClusterName: string;
  HostName: string;
  PodName: string;
  ContainerName: string;
  HostPID: number;
  PPID: number;
  PID: number;
  UID: number;
  /** Comma joined. */
  Tags: string;
  Message: string;
  Source: string;
  Resource: string;
  /** k=v, separated by spaces. */
  Data: string;
  Result: string;
  ContainerImage: string;
  ParentProcessName: string;
  ProcessName: string;
  HostPPID: number;
  /** k=v, comma joined. */
  Labels: string;
  ATags: string[];
  Owner: Podowner | null;
  Cwd: string;
  TTY: string;
  /** Limit in force at the crossing; threshold events only. */
  MaxAlertsPerSec: number;
  /** Seconds; in force at the crossing; threshold events only. */
  DroppingAlertsInterval: number;
  ExecEvent: ExecEvent | null;
  KubeArmorVersion: string;
  ProcessHash: string;
  ParentHash: string;
  ResourceHash: string;
  HashAlgo: string;
  EventData: Record<string, string>;
  /** Host alerts only. */
  UserName: string;
  Throttle: Throttle | null;
  Lost: Lost | null;
}

export interface Podowner {
  /** Kind of the workload, such as Deployment. */
  Ref: string;
  Name: string;
  Namespace: string;
}

export interface ExecEvent {
  ExecID: string;
  ExecutableName: string;
}

/** What a threshold event says about its interval. */
export interface Throttle {
  IntervalStartMicros: number;
  IntervalEndMicros: number;
  /** 1 at the crossing, the total at the end. */
  DroppedAlerts: number;
  LimitsVersion: string;
  Profile: string;
  /** Counts only what arrived after the interval was reported. */
  Late: boolean;
  /** Empty at the crossing; then expired, limits, policy or container. */
  EndedBy: string;
  Trigger: Trigger | null;
  /** Largest first. */
  DroppedByPolicy: NameCount[];
  /** Largest first. */
  DroppedByOperation: NameCount[];
  FirstDropped: LogPosition | null;
  LastDropped: LogPosition | null;
  /** When the first alert was dropped; only where the kernel dropped it, so that it is in no log. */
  FirstDroppedMicros: number;
  /** The same of the last one. */
  LastDroppedMicros: number;
  /** Alerts of this window that were to go out, but the kernel's ring had no room; not among the dropped ones. */
  LostAlerts: number;
  /** Empty: the window of one container. overflow: the one that containers share while the kernel's map is full. */
  Scope: string;
  /** How many containers share the window; 0 where it is of one. */
  Containers: number;
}

/** The alert that crossed the threshold. */
export interface Trigger {
  Operation: string;
  PolicyName: string;
  Source: string;
  Resource: string;
}

export interface NameCount {
  Name: string;
  Alerts: number;
}

/** A record's place in the raw topic. */
export interface LogPosition {
  Partition: number;
  Offset: number;
}

/** What an AlertsLost event says about alerts that nobody will ever see. */
export interface Lost {
  LostAlerts: number;
  First: number;
  Last: number;
  /** What First and Last are: sequence, offset, ring or EventTimeMicros. */
  Counter: string;
  Reason: string;
}

/** A new Alert with the schema's default in every field. */
export function defaultAlert(): Alert {
  return {
    ContainerID: '',
    NodeID: '',
    BootID: '',
    Sequence: 0,
    EventTimeMicros: 0,
    Type: '',
    Operation: '',
    Action: '',
    Enforcer: '',
    NamespaceName: '',
    PolicyName: '',
    Severity: '',
    Timestamp: 0,
    UpdatedTime: '',
    ClusterName: '',
    HostName: '',
    PodName: '',
    ContainerName: '',
    HostPID: 0,
    PPID: 0,
    PID: 0,
    UID: 0,
    Tags: '',
    Message: '',
    Source: '',
    Resource: '',
    Data: '',
    Result: '',
    ContainerImage: '',
    ParentProcessName: '',
    ProcessName: '',
    HostPPID: 0,
    Labels: '',
    ATags: [],
    Owner: null,
    Cwd: '',
    TTY: '',
    MaxAlertsPerSec: 0,
    DroppingAlertsInterval: 0,
    ExecEvent: null,
    KubeArmorVersion: '',
    ProcessHash: '',
    ParentHash: '',
    ResourceHash: '',
    HashAlgo: '',
    EventData: {},
    UserName: '',
    Throttle: null,
    Lost: null,
  };
}
