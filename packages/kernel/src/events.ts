// Records of the rings as values: bytes become types here, once.
import { KINDS, type Kind } from '@alert-throttle/policy';
import * as layout from './layout.ts';
import type { EndedBy, Operation, Ring } from './layout.ts';
import { limitsOf, type LimitsInForce } from './limits.ts';

interface EventHead {
  readonly ring: Ring;
  /** Per ring, from 1. */
  readonly number: number;
  /** CLOCK_BOOTTIME */
  readonly timeNs: bigint;
  /** Cgroup id of the container; 0: of none. In cgroupCreated and cgroupRemoved the cgroup itself. */
  readonly container: bigint;
}

export interface EventFlags {
  /** The path has no end at the root: `resource` is its known tail. */
  readonly unreachable: boolean;
  readonly truncated: boolean;
  readonly audited: boolean;
  readonly overflow: boolean;
  readonly hint: boolean;
  readonly write: boolean;
}

/** One access, and who made it. */
export interface AccessFacts extends EventHead {
  readonly operation: Operation;
  readonly kind: Kind;
  /** 0 or a negative errno. */
  readonly result: number;
  /** Number of the rule; RULE_POSTURE stands for the posture. */
  readonly rule: number;
  readonly flags: EventFlags;
  readonly hostPid: number;
  readonly hostPpid: number;
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly pidNs: number;
  readonly mntNs: number;
  /** See `arg` of struct at_event. */
  readonly args: readonly number[];
  readonly resource: string;
  readonly process: string;
  readonly parent: string;
  readonly cwd: string;
  readonly comm: string;
  readonly parentComm: string;
  readonly tty: string;
}

export interface AlertEvent extends AccessFacts {
  readonly type: 'alert';
}

/** A process of a container tried to open our maps, programs or links. */
export interface TamperingEvent extends AccessFacts {
  readonly type: 'tampering';
}

export interface DroppedByOperation {
  readonly operation: Operation;
  readonly alerts: number;
}

export interface DroppedByRule {
  readonly rule: number;
  readonly alerts: number;
}

interface ThresholdFacts extends EventHead {
  readonly intervalStartNs: bigint;
  readonly intervalEndNs: bigint;
  readonly dropped: number;
  readonly firstDroppedNs: bigint;
  readonly lastDroppedNs: bigint;
  readonly limits: LimitsInForce;
  /** Those that dropped any. */
  readonly droppedByOperation: readonly DroppedByOperation[];
  /** The first eight that dropped any. */
  readonly droppedByRule: readonly DroppedByRule[];
  readonly droppedByOtherRules: number;
  /** That share the overflow window; 0 in a container's own. */
  readonly containers: number;
  /** Of how many intervals this is the sum. */
  readonly crossings: number;
  /** Alerts that passed since the container's report before, and that the ring did not take. */
  readonly lost: number;
  readonly overflow: boolean;
  readonly profile: number;
  readonly endedBy: EndedBy;
  readonly triggerRule: number;
  readonly triggerOperation: Operation;
  readonly triggerHostPid: number;
  readonly triggerComm: string;
}

export interface ThresholdEvent extends ThresholdFacts {
  readonly type: 'threshold';
}
export interface ThresholdEndedEvent extends ThresholdFacts {
  readonly type: 'thresholdEnded';
}

export interface CgroupCreatedEvent extends EventHead {
  readonly type: 'cgroupCreated';
  /** From the root of the hierarchy. */
  readonly path: string;
  readonly parent: bigint;
}
export interface CgroupRemovedEvent extends EventHead {
  readonly type: 'cgroupRemoved';
}

/** What the ring did not take; announced once. */
export interface LostEvent extends EventHead {
  readonly type: 'lost';
  readonly count: number;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
}

/** A record that no program of this layout writes: a bug, which must not hold up what comes after it. */
export interface MalformedEvent {
  readonly type: 'malformed';
  readonly ring: Ring;
  readonly number: number;
  readonly bytes: Buffer;
}

export type KernelEvent =
  | AlertEvent
  | TamperingEvent
  | ThresholdEvent
  | ThresholdEndedEvent
  | CgroupCreatedEvent
  | CgroupRemovedEvent
  | LostEvent
  | MalformedEvent;

/** A batch of the addon: frames of u32 ring, u32 length, record, each padded to 8 bytes. */
export function decodeBatch(batch: Buffer): KernelEvent[] {
  const events: KernelEvent[] = [];
  for (let at = 0; at + 8 <= batch.length;) {
    const ring = layout.RINGS[batch.readUInt32LE(at)] ?? 'enforcement';
    const length = batch.readUInt32LE(at + 4);
    events.push(decodeEvent(ring, batch.subarray(at + 8, at + 8 + length)));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return events;
}

export function decodeEvent(ring: Ring, bytes: Buffer): KernelEvent {
  if (bytes.length < layout.eventHead.size) return { type: 'malformed', ring, number: 0, bytes };
  const { number, time_ns, container, type } = layout.eventHead.decode(bytes);
  const head = { ring, number: Number(number), timeNs: time_ns, container };
  return decodeTyped(head, type, bytes) ?? { type: 'malformed', ring, number: head.number, bytes };
}

function decodeTyped(head: EventHead, type: number, bytes: Buffer): KernelEvent | undefined {
  switch (type) {
    case layout.EVENT.alert:
    case layout.EVENT.tampering: {
      const facts = accessOf(head, bytes);
      return facts && { type: type === layout.EVENT.alert ? 'alert' : 'tampering', ...facts };
    }
    case layout.EVENT.threshold:
    case layout.EVENT.thresholdEnded: {
      const facts = thresholdOf(head, bytes);
      return facts && { type: type === layout.EVENT.threshold ? 'threshold' : 'thresholdEnded', ...facts };
    }
    case layout.EVENT.cgroupCreated: {
      const facts = accessOf(head, bytes);
      if (!facts) return undefined;
      const [low = 0, high = 0] = facts.args;
      const parent = (BigInt(high) << 32n) | BigInt(low);
      return { type: 'cgroupCreated', ...head, path: facts.resource, parent };
    }
    case layout.EVENT.cgroupRemoved:
      return { type: 'cgroupRemoved', ...head };
    case layout.EVENT.lost:
      return lostOf(head, bytes);
    default:
      return undefined;
  }
}

function accessOf(head: EventHead, bytes: Buffer): AccessFacts | undefined {
  if (bytes.length < layout.event.size) return undefined;
  const value = layout.event.decode(bytes);
  const kind = KINDS[value.kind];
  const operation = layout.OPERATIONS[value.head.operation];
  if (kind === undefined || operation === undefined) return undefined;
  let at = layout.event.size;
  const texts = value.text_length.map((length) => {
    const text = bytes.toString('utf8', at, at + length);
    at += length;
    return text;
  });
  if (at > bytes.length) return undefined;
  const [resource = '', process = '', parent = '', cwd = ''] = texts;
  return {
    ...head,
    operation,
    kind,
    result: value.result,
    rule: value.rule,
    flags: flagsOf(value.flags),
    hostPid: value.host_pid,
    hostPpid: value.host_ppid,
    pid: value.pid,
    ppid: value.ppid,
    uid: value.uid,
    pidNs: value.pid_ns,
    mntNs: value.mnt_ns,
    args: value.arg,
    resource,
    process,
    parent,
    cwd,
    comm: value.comm,
    parentComm: value.parent_comm,
    tty: value.tty,
  };
}

function flagsOf(bits: number): EventFlags {
  const has = (flag: number) => (bits & flag) !== 0;
  const { unreachable, truncated, audited, overflow, hint, write } = layout.EVENT_FLAG;
  return {
    unreachable: has(unreachable),
    truncated: has(truncated),
    audited: has(audited),
    overflow: has(overflow),
    hint: has(hint),
    write: has(write),
  };
}

function thresholdOf(head: EventHead, bytes: Buffer): ThresholdFacts | undefined {
  if (bytes.length < layout.thresholdEvent.size) return undefined;
  const value = layout.thresholdEvent.decode(bytes);
  return {
    ...head,
    intervalStartNs: value.interval_start_ns,
    intervalEndNs: value.interval_end_ns,
    dropped: Number(value.dropped),
    firstDroppedNs: value.first_dropped_ns,
    lastDroppedNs: value.last_dropped_ns,
    limits: limitsOf(value.limits),
    droppedByOperation: byOperation(value.dropped_by_operation),
    droppedByRule: byRule(value.rules, value.dropped_by_rule),
    droppedByOtherRules: Number(value.dropped_by_other_rules),
    containers: Number(value.containers),
    crossings: Number(value.crossings),
    lost: Number(value.lost),
    overflow: (value.flags & layout.EVENT_FLAG.overflow) !== 0,
    profile: value.profile,
    endedBy: layout.ENDED_BY[value.ended_by] ?? '',
    triggerRule: value.trigger_rule,
    triggerOperation: operationOf(value.trigger_operation),
    triggerHostPid: value.trigger_host_pid,
    triggerComm: value.trigger_comm,
  };
}

export function operationOf(number: number): Operation {
  return layout.OPERATIONS[number] ?? 'none';
}

export function byOperation(counts: readonly bigint[]): DroppedByOperation[] {
  return counts.flatMap((alerts, operation) =>
    alerts === 0n ? [] : [{ operation: operationOf(operation), alerts: Number(alerts) }],
  );
}

export function byRule(rules: readonly number[], counts: readonly bigint[]): DroppedByRule[] {
  return rules.flatMap((rule, i) => {
    const alerts = Number(counts[i] ?? 0n);
    return alerts === 0 ? [] : [{ rule, alerts }];
  });
}

function lostOf(head: EventHead, bytes: Buffer): LostEvent | undefined {
  if (bytes.length < layout.lostEvent.size) return undefined;
  const { count, first_ns, last_ns } = layout.lostEvent.decode(bytes);
  return { type: 'lost', ...head, count: Number(count), firstNs: first_ns, lastNs: last_ns };
}
