// bpf/include/layout.h, and the values of the throttle map of bpf/include/interval.h and account.h, field by field in
// the same order and under the same names. layout.test.ts compares sizes and offsets with the compiler's.
import { array, s32, s64, struct, text, u16, u32, u64, u8, type Values } from './struct.ts';

export const LAYOUT_VERSION = 2;

export const NAME_MAX = 255;
export const PROFILES_MAX = 16;
export const RULES_COUNTED = 8;
export const RULE_POSTURE = 0xffffffff;
export const NO_RULESET = 0xffff_ffff_ffff_ffffn;
export const INTERVALS = 4;
export const SEGMENTS = 64;

/** AT_HAS_* */
export const HAS = {
  rules: 0x1,
  exact: 0x2,
  execname: 0x4,
  dir: 0x8,
  source: 0x10,
  noSource: 0x20,
  block: 0x40,
  writeBlock: 0x80,
  owner: 0x100,
} as const;

export const COND_READ_ONLY = 1;
export const COND_OWNER_ONLY = 2;

/** In `active` of the settings. */
export const ACTIVE_MOVING = 0x8000_0000;

export const CONTAINER_PRIVILEGED = 0x1;
export const CONTAINER_GATED = 0x2;
export const CONTAINER_STARTING = 0x4;

/** In the order of enum at_posture. */
export const POSTURES = ['none', 'audit', 'block'] as const;

/** In the order of enum at_operation. */
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

/** In the order of enum at_ended_by; nothing while an interval is open. */
export const ENDED_BY = ['', 'expired', 'limits', 'policy', 'container'] as const;
export type EndedBy = (typeof ENDED_BY)[number];

/** In the order of enum at_ring. */
export const RINGS = ['enforcement', 'audit'] as const;
export type Ring = (typeof RINGS)[number];

/** enum at_event_type */
export const EVENT = {
  alert: 1,
  threshold: 2,
  thresholdEnded: 3,
  cgroupCreated: 4,
  cgroupRemoved: 5,
  tampering: 6,
  lost: 7,
} as const;

/** AT_EVENT_* flags */
export const EVENT_FLAG = {
  unreachable: 0x1,
  truncated: 0x2,
  audited: 0x4,
  overflow: 0x8,
  hint: 0x10,
  write: 0x20,
} as const;

/** In the order of enum at_counter. */
export const COUNTERS = [
  'matched',
  'emitted',
  'lost',
  'dropped',
  'auditEmitted',
  'auditLost',
  'unreachableAllowed',
  'unreachableRefused',
  'mountsAllowed',
  'scratchMissed',
  'walkRetried',
  'overflowed',
  'tampering',
  'refusedByOthers',
  'unenforced',
] as const;
export type Counter = (typeof COUNTERS)[number];

export const ruleset = struct({
  dir_depths: array(array(array(u64, 3), 2), 2),
  features: array(u32, 4),
  posture: array(u8, 4),
  audited: u8,
  hints: u8,
  pad: array(u8, 2),
});

export const ruleKey = struct({
  hash: u64,
  source_hash: u64,
  ruleset: u32,
  kind: u8,
  match: u8,
  depth: u16,
});

export const rule = struct({
  rule: array(array(u32, 4), 3),
  names: u32,
  source_names: u32,
  name_count: u16,
  source_name_count: u16,
});

export const name = struct({ length: u64, text: text(NAME_MAX + 1) });

export const hintKey = struct({ hash: u64, ruleset: u32, depth: u32 });
export const hint = struct({ rule: u32, names: u32, name_count: u32, kind: u32 });

export const member = struct({ container: u64, slot: u32, pad: u32 });

export const container = struct({
  container: u64,
  ruleset: u64,
  profile: u32,
  flags: u32,
  pid_ns: u32,
  mnt_ns: u32,
  root_dev: u64,
  root_ino: u64,
  children: s32,
  children_max: u32,
});

export const settings = struct({
  hash_secret: array(u64, 2),
  limits: array(u64, PROFILES_MAX),
  realtime_offset_ns: s64,
  layout_version: u32,
  active: u32,
  fail_closed: u32,
  init_mnt_ns: u32,
});

export const eventHead = struct({
  number: u64,
  time_ns: u64,
  container: u64,
  size: u32,
  type: u16,
  operation: u16,
});

export const event = struct({
  head: eventHead,
  result: s32,
  rule: u32,
  flags: u32,
  kind: u32,
  host_pid: u32,
  host_ppid: u32,
  pid: u32,
  ppid: u32,
  uid: u32,
  pid_ns: u32,
  mnt_ns: u32,
  arg: array(u32, 4),
  text_length: array(u16, 4),
  comm: text(16),
  parent_comm: text(16),
  tty: text(64),
  pad: u32,
});

const droppedByOperation = array(u64, OPERATIONS.length + 1);

export const thresholdEvent = struct({
  head: eventHead,
  interval_start_ns: u64,
  interval_end_ns: u64,
  dropped: u64,
  first_dropped_ns: u64,
  last_dropped_ns: u64,
  limits: u64,
  dropped_by_operation: droppedByOperation,
  dropped_by_rule: array(u64, RULES_COUNTED),
  rules: array(u32, RULES_COUNTED),
  dropped_by_other_rules: u64,
  containers: u64,
  crossings: u64,
  lost: u64,
  flags: u32,
  profile: u32,
  ended_by: u32,
  trigger_rule: u32,
  trigger_operation: u32,
  trigger_host_pid: u32,
  trigger_comm: text(16),
});

export const lostEvent = struct({ head: eventHead, count: u64, first_ns: u64, last_ns: u64 });

/** include/throttle.h */
export const window = struct({
  opened_at: u64,
  throttled_until: u64,
  dropped: u64,
  last: u64,
  passed: u32,
  generation: u32,
});

export const interval = struct({
  start_ns: u64,
  until_ns: u64,
  ended_ns: u64,
  limits: u64,
  dropped: u64,
  first_dropped_ns: u64,
  last_dropped_ns: u64,
  crossings: u64,
  lost: u64,
  containers: u64,
  dropped_by_operation: droppedByOperation,
  dropped_by_rule: array(u64, RULES_COUNTED),
  dropped_by_other_rules: u64,
  rules: array(u32, RULES_COUNTED),
  trigger_rule: u32,
  trigger_operation: u32,
  trigger: struct({ host_pid: u32, comm: text(16) }),
  ended_by: u32,
  announced: u32,
  profile: u32,
});

/** Value of the map kubearmor_alert_throttle. */
export const throttle = struct({
  lock: u32,
  flags: u32,
  container: u64,
  window,
  profile: u32,
  first: u32,
  count: u32,
  pad: u32,
  matched: u64,
  dropped: u64,
  lost: u64,
  lost_reported: u64,
  containers: u64,
  intervals: array(interval, INTERVALS),
});

export const THROTTLE_REMOVED = 0x1;
export const THROTTLE_ARRIVING = 0x4;
export const THROTTLE_MOVED = 0x8;

/** Value of the map ring_accounts. */
const loss = struct({ count: u64, first_ns: u64, last_ns: u64 });
export const account = struct({
  lock: u32,
  flags: u32,
  container: u64,
  held: u64,
  tail: u64,
  bytes: array(u32, SEGMENTS),
  lost: array(loss, RINGS.length),
  lost_total: array(u64, RINGS.length),
});

/** Value of the map ring_states, by enum at_ring. */
export const ringState = struct({ number: u64, emitted: u64, lost: u64, pad: u64 });

export type RuleSetValue = Values<typeof ruleset.fields>;
export type RuleKeyValue = Values<typeof ruleKey.fields>;
export type RuleValue = Values<typeof rule.fields>;
export type HintValue = Values<typeof hint.fields>;
export type ContainerValue = Values<typeof container.fields>;
export type SettingsValue = Values<typeof settings.fields>;
export type ThrottleValue = Values<typeof throttle.fields>;

/** By their names in C: what the test compares. */
export const STRUCTS = {
  at_ruleset: ruleset,
  at_rule_key: ruleKey,
  at_rule: rule,
  at_name: name,
  at_hint_key: hintKey,
  at_hint: hint,
  at_member: member,
  at_container: container,
  at_settings: settings,
  at_event_head: eventHead,
  at_event: event,
  at_threshold_event: thresholdEvent,
  at_lost_event: lostEvent,
  at_window: window,
  at_interval: interval,
  at_throttle: throttle,
  at_account: account,
} as const;
