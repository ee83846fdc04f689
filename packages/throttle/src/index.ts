/** The pure core: the throttle, the fold over one partition, and the texts in which its state and its inputs are kept. */
export { decide, evolve, newWindow, SECOND_IN_MICROS, type Decision, type Window } from './decide.ts';
export { DEFAULT_LIMITS, LIMITS_RANGE, limitsVersion, sameLimits, type Limits } from './limits.ts';
export {
  appendTimeMicros,
  DEFAULT_PROFILE,
  FOLD_VERSION,
  PartitionFold,
  type AlertSeen,
} from './partition-fold.ts';
export type { CheckpointChanges } from './state-changes.ts';
export type {
  ContainerIdentity,
  CrossingDetails,
  EndedBy,
  FoldSink,
  IntervalEvent,
  LogPosition,
  NameCount,
  Trigger,
} from './interval-event.ts';
export { crossingDetails, thresholdAlert, thresholdEndedAlert } from './events.ts';
export {
  CheckpointFormatError,
  parseWindowField,
  type CountsField,
  type IntervalField,
  type WindowField,
} from './checkpoint-format.ts';
export { checkpointKey, throttledKey } from './checkpoint-keys.ts';
export {
  formatOffsetMetadata,
  isOwnVersion,
  limitsAt,
  MAX_METADATA_BYTES,
  OffsetMetadataError,
  parseOffsetMetadata,
  type LimitsChange,
  type OffsetMetadata,
} from './offset-metadata.ts';
export { formatMicros, parseMicros } from './time-text.ts';
