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
  readonly lost?: number;
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

export type KernelEvent = AlertEvent | ThresholdEvent | CgroupCreatedEvent | CgroupRemovedEvent;

/** Installed; several containers may share it. */
export interface RuleSetHandle {
  readonly key: string;
}

export interface Registration {
  readonly cgroupId: bigint;
  readonly descendants: () => readonly bigint[];
  readonly ruleSet: RuleSetHandle | undefined;
  readonly profile: number;
  readonly privileged: boolean;
  readonly pidNs: number;
  readonly mntNs: number;
  readonly rootDev: bigint;
}

export interface Counters {
  readonly matched: number;
  readonly emitted: number;
  readonly lost: number;
  readonly dropped: number;
  readonly auditEmitted: number;
  readonly auditLost: number;
}

export interface ProgramState {
  readonly name: string;
  readonly attached: boolean;
  readonly reason?: string;
  readonly recursionMisses: number;
  readonly runCount: number;
}

export interface ThrottleEntry {
  readonly container: bigint;
}

export interface Kernel {
  /** Programs and maps of an earlier run were found and taken over. */
  readonly adopted: boolean;
  start(onBatch: (events: readonly KernelEvent[], release: () => void) => void): void;
  activate(): void;
  setLimits(profile: number, limits: Limits): void;
  installRuleSet(set: RuleSet): RuleSetHandle;
  removeRuleSet(handle: RuleSetHandle): void;
  registerContainer(registration: Registration): void;
  setRuleSet(cgroupId: bigint, handle: RuleSetHandle | undefined): void;
  removeContainer(cgroupId: bigint): void;
  /** Ends intervals that are over; samples the clocks. */
  sweep(): void;
  realtimeOffsetNs(): bigint;
  resolveInRoot(pid: number, path: string): string | undefined;
  throttleMap(): readonly ThrottleEntry[];
  counters(): Counters;
  programs(): readonly ProgramState[];
  close(): void;
}
