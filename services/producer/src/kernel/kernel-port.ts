// What the source needs of the kernel, as the package offers it.
import type { RuleSet } from '@alert-throttle/policy';

export type Ring = 'enforcement' | 'audit';

export interface Limits {
  readonly alertThrottling: boolean;
  readonly maxAlertPerSec: number;
  readonly throttleSec: number;
}

interface EventHead {
  readonly ring: Ring;
  /** Counts the events of the ring, from 1. */
  readonly number: number;
  readonly timeNs: bigint;
  /** Cgroup id. */
  readonly container: bigint;
}

export const OPERATIONS = [
  'none',
  'exec',
  'mapExec',
  'open',
  'receive',
  'create',
  'unlink',
  'renameFrom',
  'renameTo',
  'linkFrom',
  'linkTo',
  'symlink',
  'mkdir',
  'rmdir',
  'chmod',
  'chown',
  'truncate',
  'write',
  'mapWrite',
  'mount',
  'moveMount',
  'pivotRoot',
  'socketCreate',
  'socketConnect',
  'socketAccept',
  'capable',
  'bpf',
] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface AlertEvent extends EventHead {
  readonly type: 'alert' | 'tampering';
  readonly operation: Operation;
  readonly kind: 'process' | 'file' | 'network' | 'capability';
  /** 0, -EACCES, -EPERM. */
  readonly result: number;
  readonly rule: number;
  readonly flags: {
    readonly unreachable: boolean;
    readonly truncated: boolean;
    readonly audited: boolean;
    readonly hint: boolean;
    readonly write: boolean;
  };
  readonly hostPid: number;
  readonly hostPpid: number;
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly args: readonly number[];
  readonly resource: string;
  readonly process: string;
  readonly parent: string;
  readonly cwd: string;
  readonly comm: string;
  readonly parentComm: string;
  readonly tty: string;
}

export interface ThresholdEvent extends EventHead {
  readonly type: 'threshold' | 'thresholdEnded';
  readonly intervalStartNs: bigint;
  readonly intervalEndNs: bigint;
  readonly dropped: number;
  readonly firstDroppedNs: bigint;
  readonly lastDroppedNs: bigint;
  readonly limits: Limits & { readonly version: number };
  readonly droppedByOperation: readonly { readonly operation: Operation; readonly alerts: number }[];
  readonly droppedByRule: readonly { readonly rule: number; readonly alerts: number }[];
  readonly droppedByOtherRules: number;
  readonly lost: number;
  readonly crossings: number;
  readonly containers: number;
  readonly overflow: boolean;
  readonly profile: number;
  readonly endedBy: '' | 'expired' | 'limits' | 'policy' | 'container';
  readonly triggerRule: number;
  readonly triggerOperation: Operation;
  readonly triggerComm: string;
}

export interface CgroupCreatedEvent extends EventHead {
  readonly type: 'cgroupCreated';
  /** From the root of the hierarchy. */
  readonly path: string;
}

export interface CgroupRemovedEvent extends EventHead {
  readonly type: 'cgroupRemoved';
}

export interface LostEvent extends EventHead {
  readonly type: 'lost';
  readonly count: number;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
}

export interface MalformedEvent {
  readonly type: 'malformed';
}

export type KernelEvent =
  | AlertEvent
  | ThresholdEvent
  | CgroupCreatedEvent
  | CgroupRemovedEvent
  | LostEvent
  | MalformedEvent;

/** Installed; several containers may share it. */
export interface RuleSetHandle {
  readonly number: number;
  readonly digest: string;
}

/** What is known once the container's first process has its own root. */
export interface RootFacts {
  readonly privileged: boolean;
  readonly pidNs: number;
  readonly mntNs: number;
  readonly rootDev: bigint;
  readonly rootIno: bigint;
}

export interface NewContainer extends RootFacts {
  readonly cgroupId: bigint;
  readonly profile: number;
  /** Its rules come into force with its first exec, by itself. */
  readonly starting: boolean;
  readonly descendants: () => readonly bigint[];
  readonly ruleSet: RuleSetHandle | undefined;
}

export type Counters = Readonly<Record<string, bigint>>;

export interface ProgramStatus {
  readonly name: string;
  /** `lsm/file_open` */
  readonly hook: string;
  readonly attached: boolean;
  readonly reason: string | undefined;
  readonly recursionMisses: bigint;
  readonly runCount: bigint;
}

export interface ThrottleEntry {
  readonly container: bigint;
}

export interface Kernel {
  /** Programs and maps of an earlier run were found and taken over. */
  readonly adopted: boolean;
  readonly notes: readonly string[];
  start(onBatch: (events: readonly KernelEvent[], release: () => void) => void): void;
  activate(): void;
  setLimits(profile: number, limits: Limits): void;
  setFailClosed(closed: boolean): void;
  installRuleSet(set: RuleSet): RuleSetHandle;
  removeRuleSet(handle: RuleSetHandle): void;
  registerContainer(container: NewContainer): void;
  updateContainer(cgroupId: bigint, facts: RootFacts & { readonly starting?: false }): void;
  setRuleSet(cgroupId: bigint, handle: RuleSetHandle | undefined): void;
  removeContainer(cgroupId: bigint): void;
  /** Ends intervals that are over; samples the clocks. */
  sweep(): void;
  realtimeOffsetNs(): bigint;
  resolve(pid: number, path: string): string | undefined;
  throttleMap(): readonly ThrottleEntry[];
  counters(): Counters;
  programs(): readonly ProgramStatus[];
  close(): void;
}
