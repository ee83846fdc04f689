// What the source needs of the kernel, in the words of the package that talks to it.
import type { Kernel as WholeKernel, KernelEvent as AnyEvent } from '@alert-throttle/kernel';

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

export type { NewContainer } from '@alert-throttle/kernel';

/** As much of it as the source uses: what a test has to stand in for. */
export type KernelPort = Pick<
  WholeKernel,
  | 'adopted'
  | 'notes'
  | 'start'
  | 'activate'
  | 'setLimits'
  | 'setFailClosed'
  | 'ruleSetForFailed'
  | 'installRuleSet'
  | 'removeRuleSet'
  | 'registerContainer'
  | 'setRuleSet'
  | 'removeContainer'
  | 'containers'
  | 'sweep'
  | 'realtimeOffsetNs'
  | 'throttleMap'
  | 'rings'
  | 'ringsId'
  | 'counters'
  | 'programs'
  | 'close'
>;
