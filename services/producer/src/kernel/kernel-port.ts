// What the source needs of the kernel, in the words of the package that talks to it.
import type {
  Kernel as WholeKernel,
  KernelEvent as AnyEvent,
  NewContainer as Registered,
} from '@alert-throttle/kernel';

export { OPERATIONS, RULE_POSTURE } from '@alert-throttle/kernel';
export type {
  AlertEvent,
  KernelEvent,
  Limits,
  LostEvent,
  Operation,
  ProgramStatus,
  Ring,
  RuleSetHandle,
  TamperingEvent,
  ThrottleEntry,
} from '@alert-throttle/kernel';

export type IntervalEvent = Extract<AnyEvent, { type: 'threshold' | 'thresholdEnded' }>;

/** What is known once a container's first process has a root of its own. */
export interface RootFacts {
  readonly privileged: boolean;
  readonly pidNs: number;
  readonly mntNs: number;
  readonly rootDev: bigint;
  readonly rootIno: bigint;
}

export interface NewContainer extends Registered, RootFacts {
  /** Its rules come into force with its first exec, by itself. */
  readonly starting: boolean;
}

export interface Kernel extends Pick<
  WholeKernel,
  | 'adopted'
  | 'notes'
  | 'start'
  | 'activate'
  | 'setLimits'
  | 'setFailClosed'
  | 'installRuleSet'
  | 'removeRuleSet'
  | 'setRuleSet'
  | 'removeContainer'
  | 'sweep'
  | 'resolve'
  | 'throttleMap'
  | 'counters'
  | 'programs'
  | 'close'
> {
  registerContainer(container: NewContainer): void;
  /** `starting: false`: its tasks are judged from now on, whether or not the kernel saw an exec. */
  updateContainer(cgroupId: bigint, facts: RootFacts & { readonly starting?: false }): void;
  realtimeOffsetNs(): bigint;
}
