// What goes out for the records of a partition, and in which order.

import { type Alert, AlertWriter } from '@alert-throttle/alert';
import { type Limits, PartitionFold } from '@alert-throttle/throttle';
import avro from 'avsc';
import { beforeEach, describe, expect, it } from 'vitest';

import { briefOf, decoded, Folding, SMALL_LIMITS as limits } from '../testing/folding.ts';
import type { NewRecord } from '../testing/memory-log.ts';
import { alertRecord, auditAlert, encoded, START_MS, tombstone } from '../testing/raw-alerts.ts';
import { RecordFolder } from './record-folder.ts';

const off: Limits = { ...limits, alertThrottling: false };
const START_MICROS = START_MS * 1000 + 999;

let on: Folding;

beforeEach(() => {
  on = new Folding();
});

describe('what goes out', () => {
  it('is in the order of the log, the bytes as they came', () => {
    const records = on.logged(
      { ...alertRecord(START_MS, { Resource: '1' }), headers: { trace: Buffer.from('t') } },
      alertRecord(START_MS + 1, { Resource: '2', Type: 'ContainerLog', ContainerID: 'c2' }),
    );
    on.folder.foldAll(records, limits);
    const { outputs } = on.folder.takeOutputs();
    expect(outputs).toEqual(
      [...records].map(({ key, value, headers, appendMs }) => ({
        topic: 'throttled',
        key,
        value,
        headers,
        timestampMs: appendMs,
      })),
    );
    outputs.forEach((output, index) => {
      const { buffer } = records.bytes(index);
      expect([output.key?.buffer, output.value?.buffer]).toEqual([buffer, buffer]);
      expect(output.value?.buffer).toBe(buffer);
    });
  });

  it('says in the place of the alert that crossed that its container is throttled', () => {
    const flood = [1, 2, 3, 4].map((n) => alertRecord(START_MS + n, { Resource: String(n) }));
    expect(
      on.run(on.logged(...flood, alertRecord(START_MS + 5, { ContainerID: 'c2', Resource: 'other' }))),
    ).toEqual(['c1 1', 'c1 2', 'c1 AlertThreshold 1', 'c2 other']);
  });

  it('has the reports that are due before the record with which time passes', () => {
    const flood = (at: number, ContainerID: string): NewRecord[] =>
      [0, 1, 2, 3].map((n) => alertRecord(START_MS + at + n, { ContainerID, Resource: String(n) }));
    on.run(on.logged(...flood(0, 'c2'), ...flood(10, 'c1')));
    expect(on.run(on.logged(alertRecord(START_MS + 6000, { ContainerID: 'c3', Resource: 'x' })))).toEqual([
      'c2 AlertThresholdEnded 2',
      'c1 AlertThresholdEnded 2',
      'c3 x',
    ]);
  });

  it('has the report of an interval before the next alert of its container', () => {
    // Its first alerts lie a minute back, so that its own time reaches the end before the partition's does.
    const at = (seconds: number): Partial<Alert> => ({
      EventTimeMicros: START_MICROS + (seconds - 60) * 1_000_000,
    });
    const records = [0, 0, 0, 0, 5].map((seconds, n) =>
      alertRecord(START_MS, { ...at(seconds), Resource: String(n) }),
    );
    expect(on.run(on.logged(...records)).slice(2)).toEqual([
      'c1 AlertThreshold 1',
      'c1 AlertThresholdEnded 2',
      'c1 4',
    ]);
  });

  it('is stamped with the partition’s time where it is a record of our own', () => {
    on.folder.foldAll(on.logged(...[0, 0, 0].map(() => alertRecord(START_MS))), limits);
    expect(on.folder.takeOutputs().outputs.at(-1)).toMatchObject({ timestampMs: START_MS });
    on.folder.advance(START_MICROS + 5_000_000);
    expect(on.folder.takeOutputs().outputs).toMatchObject([
      { timestampMs: START_MS + 5000, key: Buffer.from('c1'), headers: undefined },
    ]);
  });

  it('has the report of every open interval where throttling is turned off', () => {
    on.run(on.logged(...[0, 0, 0].map(() => alertRecord(START_MS))));
    on.folder.throttlingOff();
    expect(on.taken()).toEqual(['c1 AlertThresholdEnded 1']);
    const flood = [1, 2, 3, 4].map((n) => alertRecord(START_MS, { Resource: String(n) }));
    expect(on.run(on.logged(...flood), off)).toEqual(['c1 1', 'c1 2', 'c1 3', 'c1 4']);
  });

  it('is nothing while a state is rebuilt, and nothing of that comes later', () => {
    const folder = new RecordFolder({ fold: on.fold, schemas: on.schemas, topic: 'raw', partition: 3 });
    const poison = { appendMs: START_MS, key: Buffer.from('c1'), value: Buffer.from('text') };
    const flood = [0, 1, 2, 3].map((n) => alertRecord(START_MS + n));
    folder.foldAll(on.logged(...flood, poison, tombstone(START_MS + 9, 'c9')), limits);
    expect(folder.outputCount).toBe(0);
    expect(folder.takeOutputs().counts).toMatchObject({ in: 6, dropped: 2 });
    folder.foldAll(on.logged(alertRecord(START_MS + 10)), limits);
    folder.goLive();
    expect(folder.takeOutputs()).toMatchObject({ outputs: [], counts: { in: 0 } });
    folder.advance(START_MICROS + 60_000_000);
    expect(folder.takeOutputs().outputs.map((output) => briefOf(output, on.schemas))).toEqual([
      'c1 AlertThresholdEnded 3',
    ]);
  });

  it('is counted once', () => {
    const records = [
      ...[0, 1, 2, 3].map((n) => alertRecord(START_MS + n, { BootID: 'b', Sequence: n + 1 })),
      alertRecord(START_MS + 4, { BootID: 'b', Sequence: 4 }),
      { appendMs: START_MS + 5, key: null, value: encoded(auditAlert()) },
      { appendMs: START_MS + 6, key: null, value: null },
      tombstone(START_MS + 7, 'c1'),
    ];
    on.folder.foldAll(on.logged(...records), limits);
    const counts = {
      in: 8,
      passed: 2,
      dropped: 2,
      thresholds: 1,
      thresholdsEnded: 1,
      repeats: 1,
      tombstones: 1,
      deadLetters: new Map([['no-key', 2]]),
    };
    expect(on.folder.takeOutputs().counts).toEqual(counts);
    expect(on.folder.takeOutputs().counts).toMatchObject({ in: 0, deadLetters: new Map() });
  });
});

describe('eligible for throttling', () => {
  const crossing = (fields: Partial<Alert>): boolean =>
    on
      .run(on.logged(...[0, 1, 2].map((n) => alertRecord(START_MS + n, fields))))
      .some((out) => out.includes('AlertThreshold'));

  it.each([
    { Type: 'MatchedPolicy' },
    { Type: 'MatchedHostPolicy' },
    { Action: 'Audit' },
    { Action: 'Audit (Block)' },
  ] satisfies Partial<Alert>[])('is %j', (fields) => expect(crossing(fields)).toBe(true));

  it.each([
    { Type: 'ContainerLog' },
    { Type: 'SystemEvent', Operation: 'AlertThreshold' },
    { Action: 'Block' },
    { Action: 'Allow' },
    { Action: '' },
    { Enforcer: 'BPFLSM' },
    { Enforcer: 'AppArmor' },
  ] satisfies Partial<Alert>[])('is not %j', (fields) => expect(crossing(fields)).toBe(false));

  it('is a host by its node', () => {
    const flood = [1, 2, 3].map((n) => alertRecord(START_MS + n, { ContainerID: '', NodeID: 'n7' }));
    expect(on.run(on.logged(...flood)).at(-1)).toBe('host:n7 AlertThreshold 1');
  });

  it('counts where in the raw topic its alerts lie', () => {
    on = new Folding(40);
    on.run(on.logged(...[0, 1, 2, 3].map((n) => alertRecord(START_MS + n))));
    on.folder.advance(START_MICROS + 60_000_000);
    const [ended] = on.folder.takeOutputs().outputs;
    expect(decoded(ended?.value, on.schemas).Throttle).toMatchObject({
      FirstDropped: { Partition: 3, Offset: 42 },
      LastDropped: { Partition: 3, Offset: 43 },
      FirstDroppedMicros: 0,
      LastDroppedMicros: 0,
      LostAlerts: 0,
      Scope: '',
      Containers: 0,
      Trigger: { Operation: 'Process', PolicyName: 'p1', Source: '/bin/sh', Resource: '/usr/bin/apt' },
    });
  });
});

describe('repeats', () => {
  const numbered = (Sequence: number, fields: Partial<Alert> = {}): NewRecord =>
    alertRecord(START_MS, { BootID: 'b', Sequence, Resource: String(Sequence), ...fields });

  it('are skipped, of whatever container they are', () => {
    const records = on.logged(
      numbered(1),
      numbered(2, { ContainerID: 'c2' }),
      numbered(1),
      numbered(2),
      numbered(3),
    );
    expect(on.run(records)).toEqual(['c1 1', 'c2 2', 'c1 3']);
  });

  it('are told apart by node and boot; without a number nothing is a repeat', () => {
    const records = on.logged(
      numbered(5),
      numbered(5, { NodeID: 'n2' }),
      numbered(5, { BootID: 'b2' }),
      numbered(0, { ContainerID: 'c2' }),
      numbered(0, { ContainerID: 'c2' }),
      numbered(5, { BootID: '', ContainerID: 'c3' }),
      numbered(5, { BootID: '', ContainerID: 'c3' }),
    );
    expect(on.run(records, off)).toHaveLength(7);
  });

  it('are found among what is not eligible, too', () => {
    const records = on.logged(numbered(1, { Type: 'ContainerLog' }), numbered(1, { Type: 'ContainerLog' }));
    expect(on.run(records)).toEqual(['c1 1']);
  });

  it('let time pass all the same', () => {
    on.run(on.logged(numbered(1), numbered(2), numbered(3)));
    const repeat = { ...numbered(3), appendMs: START_MS + 60_000 };
    expect(on.run(on.logged(repeat))).toEqual(['c1 AlertThresholdEnded 1']);
  });
});

describe('tombstones', () => {
  it('report the open interval of their container, then go on as they came', () => {
    on.run(on.logged(...[0, 0, 0, 0].map(() => alertRecord(START_MS))));
    const texts = { NodeID: 'n1', BootID: 'b', Sequence: '1', trace: 't' };
    const headers = Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]),
    );
    on.folder.foldAll(on.logged({ ...tombstone(START_MS + 5, 'c1'), headers }), limits);
    const { outputs } = on.folder.takeOutputs();
    expect(outputs.map((output) => briefOf(output, on.schemas))).toEqual([
      'c1 AlertThresholdEnded 2',
      'tombstone c1',
    ]);
    expect(outputs[1]).toMatchObject({ headers, timestampMs: START_MS + 5 });
    expect(on.fold.windowCount).toBe(0);
  });

  it('are repeats by the number in their headers, as text or bytes', () => {
    const identity = { NodeID: 'n1', BootID: 'b', Sequence: 4 };
    const bytes = Object.fromEntries(Object.entries(identity).map(([k, v]) => [k, Buffer.from(String(v))]));
    const records = on.logged(
      tombstone(START_MS, 'c1', identity),
      { ...tombstone(START_MS, 'c2'), headers: bytes },
      alertRecord(START_MS, { ...identity, Sequence: 4 }),
      tombstone(START_MS, 'c3', { ...identity, Sequence: 5 }),
      alertRecord(START_MS, { ...identity, Sequence: 5 }),
    );
    expect(on.run(records)).toEqual(['tombstone c1', 'tombstone c3']);
  });

  it.each([
    ['no headers', undefined],
    ['no number', { NodeID: 'n1', BootID: 'b' }],
    ['no number that is one', { NodeID: 'n1', BootID: 'b', Sequence: 'x' }],
    ['a number that is too large', { NodeID: 'n1', BootID: 'b', Sequence: '1e99' }],
    ['a header twice', { NodeID: 'n1', BootID: 'b', Sequence: ['1', '1'] }],
    ['no boot', { NodeID: 'n1', Sequence: '1' }],
  ])('are never repeats with %s', (_, headers) => {
    const record: NewRecord = { ...tombstone(START_MS, 'c1'), ...(headers && { headers }) };
    expect(on.run(on.logged(record, record))).toEqual(['tombstone c1', 'tombstone c1']);
  });

  it('without a key are dead letters', () => {
    expect(on.run(on.logged({ appendMs: START_MS, key: null, value: null }))).toEqual(['dead no-key']);
  });
});

describe('a schema that is not known yet', () => {
  const v9 = new AlertWriter(9);
  const strange = (appendMs: number): NewRecord => ({
    ...alertRecord(appendMs),
    value: v9.encode(auditAlert({ Resource: 'v9' })),
  });

  it('stops the fold exactly in front of its record', () => {
    const records = on.logged(
      alertRecord(START_MS),
      strange(START_MS + 60_000),
      alertRecord(START_MS + 60_001),
    );
    const before = new PartitionFold();
    const twin = new RecordFolder({ fold: before, schemas: on.schemas, topic: 'raw', partition: 3 });
    twin.foldAll(records.slice(0, 1), limits);
    expect(on.folder.foldAll(records, limits)).toEqual({ folded: 1, missingSchema: 9 });
    expect(on.folder.takeOutputs().counts.in).toBe(1);
    expect([on.fold.digest(), on.fold.timeMicros]).toEqual([before.digest(), before.timeMicros]);
  });

  it('lets it go on there once the schema is known', () => {
    const records = on.logged(strange(START_MS), alertRecord(START_MS, { Resource: '2' }));
    expect(on.folder.foldAll(records, limits)).toEqual({ folded: 0, missingSchema: 9 });
    on.schemas.register(9, avro.Type.forSchema({ type: 'record', name: 'alertthrottle.Alert', fields: [] }));
    expect(on.folder.foldAll(records, limits)).toEqual({ folded: 2, missingSchema: undefined });
  });

  it('makes a dead letter once the registry said for long enough that it has none', () => {
    on.schemas.giveUp(9);
    expect(on.run(on.logged(strange(START_MS), alertRecord(START_MS, { Resource: '2' })))).toEqual([
      'dead unknown-schema',
      'c1 2',
    ]);
  });
});
