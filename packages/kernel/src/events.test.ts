import { describe, expect, test } from 'vitest';
import { decodeBatch, decodeEvent, type KernelEvent } from './events.ts';
import * as layout from './layout.ts';
import { nextLimitsWord } from './limits.ts';

const head = { number: 7n, time_ns: 1_000_000_007n, container: 42n };
const word = nextLimitsWord(0n, { alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30 });

function alert(
  texts: readonly string[],
  values: Partial<Parameters<typeof layout.event.encode>[0]> = {},
): Buffer {
  const bytes = texts.map((text) => Buffer.from(text));
  const record = layout.event.encode({
    result: -13,
    rule: 0xfffffffe,
    flags: layout.EVENT_FLAG.write | layout.EVENT_FLAG.truncated,
    kind: 1,
    host_pid: 100,
    host_ppid: 99,
    pid: 2,
    ppid: 1,
    uid: 1000,
    pid_ns: 5,
    mnt_ns: 6,
    arg: [1, 2, 3, 4],
    text_length: bytes.map(({ length }) => length),
    comm: 'cat',
    parent_comm: 'sh',
    tty: 'pts0',
    ...values,
    head: {
      ...head,
      size: layout.event.size,
      type: layout.EVENT.alert,
      operation: layout.OPERATIONS.indexOf('open'),
      ...values.head,
    },
  });
  return Buffer.concat([record, ...bytes]);
}

function framed(...records: readonly (readonly [number, Buffer])[]): Buffer {
  return Buffer.concat(
    records.flatMap(([ring, record]) => {
      const frame = Buffer.alloc(8);
      frame.writeUInt32LE(ring, 0);
      frame.writeUInt32LE(record.length, 4);
      return [frame, record, Buffer.alloc(-record.length & 7)];
    }),
  );
}

describe('an alert', () => {
  test('has its texts after the struct, one after the other', () => {
    const event = decodeEvent('enforcement', alert(['/etc/shadow', '/bin/cat', '/bin/sh', '/root']));
    expect(event).toEqual({
      type: 'alert',
      ring: 'enforcement',
      number: 7,
      timeNs: 1_000_000_007n,
      container: 42n,
      operation: 'open',
      kind: 'file',
      result: -13,
      rule: 0xfffffffe,
      flags: {
        unreachable: false,
        truncated: true,
        audited: false,
        overflow: false,
        hint: false,
        write: true,
      },
      hostPid: 100,
      hostPpid: 99,
      pid: 2,
      ppid: 1,
      uid: 1000,
      pidNs: 5,
      mntNs: 6,
      args: [1, 2, 3, 4],
      resource: '/etc/shadow',
      process: '/bin/cat',
      parent: '/bin/sh',
      cwd: '/root',
      comm: 'cat',
      parentComm: 'sh',
      tty: 'pts0',
    } satisfies KernelEvent);
  });

  test('whose texts would lie outside the record is malformed, and so are unknown types, kinds and operations', () => {
    const whole = alert(['/etc/shadow', '', '', '']);
    const bad = [
      whole.subarray(0, -1),
      whole.subarray(0, layout.event.size - 1),
      whole.subarray(0, 3),
      alert([], { kind: 4 }),
      alert([], { head: { ...head, size: 0, type: 99, operation: 1 } }),
      alert([], { head: { ...head, size: 0, type: 1, operation: 1000 } }),
    ];
    expect(bad.map((bytes) => decodeEvent('audit', bytes).type)).toEqual(bad.map(() => 'malformed'));
  });
});

describe('a threshold', () => {
  const bytes = layout.thresholdEvent.encode({
    head: { ...head, size: 0, type: layout.EVENT.thresholdEnded, operation: 0 },
    interval_start_ns: 1n,
    interval_end_ns: 2n,
    dropped: 12n,
    limits: word,
    dropped_by_operation: layout.OPERATIONS.map((name) => (name === 'unlink' ? 12n : 0n)),
    dropped_by_rule: [9n, 3n],
    rules: [77, 88],
    ended_by: 2,
    trigger_operation: layout.OPERATIONS.indexOf('unlink'),
    trigger_comm: 'rm',
    crossings: 1n,
    lost: 4n,
  });

  test('lists what dropped, and nothing else', () => {
    expect(decodeEvent('enforcement', bytes)).toMatchObject({
      type: 'thresholdEnded',
      dropped: 12,
      limits: { alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30 },
      droppedByOperation: [{ operation: 'unlink', alerts: 12 }],
      droppedByRule: [
        { rule: 77, alerts: 9 },
        { rule: 88, alerts: 3 },
      ],
      droppedByOtherRules: 0,
      endedBy: 'limits',
      triggerOperation: 'unlink',
      triggerComm: 'rm',
      crossings: 1,
      lost: 4,
    });
  });

  test('that is too short is malformed', () => {
    expect(decodeEvent('enforcement', bytes.subarray(0, -1)).type).toBe('malformed');
  });
});

test('cgroups and losses', () => {
  const created = alert(['/kubepods/pod1', '', '', ''], {
    arg: [5, 1, 0, 0],
    head: { ...head, size: 0, type: layout.EVENT.cgroupCreated, operation: 0 },
  });
  expect(decodeEvent('enforcement', created)).toMatchObject({
    type: 'cgroupCreated',
    path: '/kubepods/pod1',
    parent: (1n << 32n) + 5n,
  });
  const removed = layout.eventHead.encode({ ...head, type: layout.EVENT.cgroupRemoved });
  expect(decodeEvent('audit', removed)).toMatchObject({
    type: 'cgroupRemoved',
    ring: 'audit',
    container: 42n,
  });
  const lost = layout.lostEvent.encode({
    head: { ...head, size: 0, type: layout.EVENT.lost, operation: 0 },
    count: 5n,
    first_ns: 1n,
    last_ns: 9n,
  });
  expect(decodeEvent('audit', lost)).toMatchObject({ type: 'lost', count: 5, firstNs: 1n, lastNs: 9n });
});

test('a batch has the records of all rings, each of its own length', () => {
  const removed = layout.eventHead.encode({ ...head, type: layout.EVENT.cgroupRemoved });
  const events = decodeBatch(
    framed([0, alert(['a', 'bc', '', ''])], [1, removed], [1, alert(['', '', '', ''])]),
  );
  expect(events.map(({ ring, type }) => [ring, type])).toEqual([
    ['enforcement', 'alert'],
    ['audit', 'cgroupRemoved'],
    ['audit', 'alert'],
  ]);
  expect(decodeBatch(Buffer.alloc(0))).toEqual([]);
});
