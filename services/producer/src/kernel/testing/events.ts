// Events of the kernel for tests, with something in every field.
import type { AlertEvent, IntervalEvent, LostEvent } from '../kernel-port.ts';

export const CONTAINER = 77n;

const NO_FLAGS = {
  unreachable: false,
  truncated: false,
  audited: false,
  overflow: false,
  hint: false,
  write: false,
};

export function alertEvent(more: Partial<AlertEvent> = {}): AlertEvent {
  return {
    type: 'alert',
    ring: 'enforcement',
    number: 1,
    timeNs: 5_000_001_000n,
    container: CONTAINER,
    operation: 'open',
    kind: 'file',
    result: -13,
    rule: 42,
    flags: NO_FLAGS,
    hostPid: 1234,
    hostPpid: 1233,
    pid: 7,
    ppid: 1,
    uid: 33,
    pidNs: 2,
    mntNs: 3,
    args: [0x8000, 0, 0, 0],
    resource: '/etc/shadow',
    process: '/usr/bin/cat',
    parent: '/usr/bin/bash',
    cwd: '/root',
    comm: 'cat',
    parentComm: 'bash',
    tty: 'pts0',
    ...more,
  };
}

export function lostEvent(more: Partial<LostEvent> = {}): LostEvent {
  const head = {
    type: 'lost',
    ring: 'audit',
    number: 1,
    timeNs: 9_000_000_000n,
    container: CONTAINER,
  } as const;
  return { ...head, count: 12, firstNs: 5_000_000_000n, lastNs: 6_000_000_000n, ...more };
}

export function intervalEvent(more: Partial<IntervalEvent> = {}): IntervalEvent {
  return {
    type: 'thresholdEnded',
    ring: 'enforcement',
    number: 1,
    timeNs: 35_000_000_000n,
    container: CONTAINER,
    intervalStartNs: 5_000_000_000n,
    intervalEndNs: 35_000_000_000n,
    dropped: 30,
    firstDroppedNs: 5_000_000_000n,
    lastDroppedNs: 34_000_000_000n,
    limits: { alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30, version: 7 },
    droppedByOperation: [
      { operation: 'open', alerts: 10 },
      { operation: 'exec', alerts: 12 },
      { operation: 'unlink', alerts: 8 },
    ],
    droppedByRule: [
      { rule: 42, alerts: 5 },
      { rule: 43, alerts: 9 },
      { rule: 44, alerts: 12 },
    ],
    droppedByOtherRules: 4,
    containers: 0,
    crossings: 1,
    lost: 3,
    overflow: false,
    profile: 0,
    endedBy: 'expired',
    triggerRule: 42,
    triggerOperation: 'open',
    triggerHostPid: 1234,
    triggerComm: 'cat',
    ...more,
  };
}
