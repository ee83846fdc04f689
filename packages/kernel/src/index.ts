/** The kernel part: loading and adopting the BPF programs, their maps and rings as values. */
export { chooseEnforcer, ENFORCERS, type Enforcer } from './environment.ts';
export { KERNEL_CODES, KernelError, type KernelCode } from './errors.ts';
export type * from './events.ts';
export { Kernel, type KnownContainer, type NewContainer, type OnBatch } from './kernel.ts';
export {
  COUNTERS,
  LAYOUT_VERSION,
  OPERATIONS,
  PROFILES_MAX,
  RINGS,
  RULE_POSTURE,
  type Counter,
  type EndedBy,
  type Operation,
  type Ring,
} from './layout.ts';
export type { Limits, LimitsInForce } from './limits.ts';
export { openKernel, type KernelOptions } from './open.ts';
export type { ProgramStatus } from './program-set.ts';
export type { RuleSetHandle } from './rule-sets.ts';
export { DEFAULT_SIZES, type KernelSizes } from './sizes.ts';
export type { ThrottleEntry, ThrottleInterval } from './throttle-map.ts';
export {
  DEFAULT_PIN_DIR,
  detachKernel,
  inspectKernel,
  type Counters,
  type InspectOptions,
  type KernelView,
  type RingCounters,
} from './view.ts';
