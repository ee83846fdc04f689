import { type Alert, AlertWriter } from '@alert-throttle/alert';
import { type Limits, PartitionFold } from '@alert-throttle/throttle';
import avro from 'avsc';
import { beforeEach, describe, expect, it } from 'vitest';

import type { OutputRecord, RawRecord } from '../ports.ts';
import type { NewRecord } from '../testing/memory-log.ts';
import { MemorySchemas } from '../testing/memory-schemas.ts';
import { alertRecord, auditAlert, encoded, START_MS, tombstone } from '../testing/raw-alerts.ts';
import { MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES } from './dead-letter.ts';
import { RecordFolder } from './record-folder.ts';

const limits: Limits = { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 5 };
const off: Limits = { ...limits, alertThrottling: false };
const START_MICROS = START_MS * 1000 + 999;

let schemas: MemorySchemas;
let fold: PartitionFold;
let folder: RecordFolder;
let offset: number;

beforeEach(() => {
  schemas = new MemorySchemas();
  fold = new PartitionFold();
  folder = new RecordFolder({ fold, schemas, topic: 'raw', partition: 3 });
  folder.goLive();
  offset = 0;
});

function logged(...records: readonly NewRecord[]): RawRecord[] {
  return records.map(({ headers, ...record }) => ({ ...record, headers, offset: offset++ }));
}

function decode(value: Buffer): Alert {
  const reader = schemas.reader(value);
  if (reader === undefined) throw new Error('unknown schema');
  return reader.decode(value);
}

/** What goes out, in order and in brief. */
function brief({ topic, key, value, headers }: OutputRecord): string {
  if (topic === 'deadLetter') return `dead ${String(headers?.['reason'])}`;
  if (value === null) return `tombstone ${String(key)}`;
  const alert = decode(value);
  return alert.Throttle === null
    ? `${String(key)} ${alert.Resource}`
    : `${String(key)} ${alert.Operation} ${alert.Throttle.DroppedAlerts}`;
}

function foldBrief(records: readonly RawRecord[], under: Limits = limits): string[] {
  folder.foldAll(records, under);
  return folder.takeOutputs().outputs.map(brief);
}

describe('what goes out', () => {
  it('is in the order of the log, the bytes as they came', () => {
    const records = logged(
      { ...alertRecord(START_MS, { Resource: '1' }), headers: { trace: Buffer.from('t') } },
      alertRecord(START_MS + 1, { Resource: '2', Type: 'ContainerLog', ContainerID: 'c2' }),
    );
    folder.foldAll(records, limits);
    const { outputs } = folder.takeOutputs();
    expect(outputs).toEqual(
      records.map(({ key, value, headers, appendMs }) => ({
        topic: 'throttled',
        key,
        value,
        headers,
        timestampMs: appendMs,
      })),
    );
    outputs.forEach((output, index) => expect(output.value).toBe(records[index]?.value));
  });

  it('says in the place of the alert that crossed that its container is throttled', () => {
    const flood = [1, 2, 3, 4].map((n) => alertRecord(START_MS + n, { Resource: String(n) }));
    expect(
      foldBrief(logged(...flood, alertRecord(START_MS + 5, { ContainerID: 'c2', Resource: 'other' }))),
    ).toEqual(['c1 1', 'c1 2', 'c1 AlertThreshold 1', 'c2 other']);
  });

  it('has the reports that are due before the record with which time passes', () => {
    const flood = (at: number, ContainerID: string): NewRecord[] =>
      [0, 1, 2, 3].map((n) => alertRecord(START_MS + at + n, { ContainerID, Resource: String(n) }));
    foldBrief(logged(...flood(0, 'c2'), ...flood(10, 'c1')));
    expect(foldBrief(logged(alertRecord(START_MS + 6000, { ContainerID: 'c3', Resource: 'x' })))).toEqual([
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
    expect(foldBrief(logged(...records)).slice(2)).toEqual([
      'c1 AlertThreshold 1',
      'c1 AlertThresholdEnded 2',
      'c1 4',
    ]);
  });

  it('is stamped with the partition’s time where it is a record of our own', () => {
    folder.foldAll(logged(...[0, 0, 0].map(() => alertRecord(START_MS))), limits);
    expect(folder.takeOutputs().outputs.at(-1)).toMatchObject({ timestampMs: START_MS });
    folder.advance(START_MICROS + 5_000_000);
    expect(folder.takeOutputs().outputs).toMatchObject([
      { timestampMs: START_MS + 5000, key: Buffer.from('c1'), headers: undefined },
    ]);
  });

  it('has the report of every open interval where throttling is turned off', () => {
    foldBrief(logged(...[0, 0, 0].map(() => alertRecord(START_MS))));
    folder.throttlingOff();
    expect(folder.takeOutputs().outputs.map(brief)).toEqual(['c1 AlertThresholdEnded 1']);
    const flood = [1, 2, 3, 4].map((n) => alertRecord(START_MS, { Resource: String(n) }));
    expect(foldBrief(logged(...flood), off)).toEqual(['c1 1', 'c1 2', 'c1 3', 'c1 4']);
  });

  it('is nothing while a state is rebuilt, and nothing of that comes later', () => {
    folder = new RecordFolder({ fold, schemas, topic: 'raw', partition: 3 });
    const poison = { appendMs: START_MS, key: Buffer.from('c1'), value: Buffer.from('text') };
    const flood = [0, 1, 2, 3].map((n) => alertRecord(START_MS + n));
    folder.foldAll(logged(...flood, poison, tombstone(START_MS + 9, 'c9')), limits);
    expect(folder.outputCount).toBe(0);
    expect(folder.takeOutputs().counts).toMatchObject({ in: 6, dropped: 2 });
    folder.foldAll(logged(alertRecord(START_MS + 10)), limits);
    folder.goLive();
    expect(folder.takeOutputs()).toMatchObject({ outputs: [], counts: { in: 0 } });
    folder.advance(START_MICROS + 60_000_000);
    expect(folder.takeOutputs().outputs.map(brief)).toEqual(['c1 AlertThresholdEnded 3']);
  });

  it('is counted once', () => {
    const records = [
      ...[0, 1, 2, 3].map((n) => alertRecord(START_MS + n, { BootID: 'b', Sequence: n + 1 })),
      alertRecord(START_MS + 4, { BootID: 'b', Sequence: 4 }),
      { appendMs: START_MS + 5, key: null, value: encoded(auditAlert()) },
      { appendMs: START_MS + 6, key: null, value: null },
      tombstone(START_MS + 7, 'c1'),
    ];
    folder.foldAll(logged(...records), limits);
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
    expect(folder.takeOutputs().counts).toEqual(counts);
    expect(folder.takeOutputs().counts).toMatchObject({ in: 0, deadLetters: new Map() });
  });
});

describe('eligible for throttling', () => {
  const crossing = (fields: Partial<Alert>): boolean =>
    foldBrief(logged(...[0, 1, 2].map((n) => alertRecord(START_MS + n, fields)))).some((out) =>
      out.includes('AlertThreshold'),
    );

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
    expect(foldBrief(logged(...flood)).at(-1)).toBe('host:n7 AlertThreshold 1');
  });

  it('counts where in the raw topic its alerts lie', () => {
    offset = 40;
    foldBrief(logged(...[0, 1, 2, 3].map((n) => alertRecord(START_MS + n))));
    folder.advance(START_MICROS + 60_000_000);
    const [ended] = folder.takeOutputs().outputs;
    expect(decode(ended?.value ?? Buffer.alloc(0)).Throttle).toMatchObject({
      FirstDropped: { Partition: 3, Offset: 42 },
      LastDropped: { Partition: 3, Offset: 43 },
      Trigger: { Operation: 'Process', PolicyName: 'p1', Source: '/bin/sh', Resource: '/usr/bin/apt' },
    });
  });
});

describe('repeats', () => {
  const numbered = (Sequence: number, fields: Partial<Alert> = {}): NewRecord =>
    alertRecord(START_MS, { BootID: 'b', Sequence, Resource: String(Sequence), ...fields });

  it('are skipped, of whatever container they are', () => {
    const records = logged(
      numbered(1),
      numbered(2, { ContainerID: 'c2' }),
      numbered(1),
      numbered(2),
      numbered(3),
    );
    expect(foldBrief(records)).toEqual(['c1 1', 'c2 2', 'c1 3']);
  });

  it('are told apart by node and boot; without a number nothing is a repeat', () => {
    const records = logged(
      numbered(5),
      numbered(5, { NodeID: 'n2' }),
      numbered(5, { BootID: 'b2' }),
      numbered(0, { ContainerID: 'c2' }),
      numbered(0, { ContainerID: 'c2' }),
      numbered(5, { BootID: '', ContainerID: 'c3' }),
      numbered(5, { BootID: '', ContainerID: 'c3' }),
    );
    expect(foldBrief(records, off)).toHaveLength(7);
  });

  it('are found among what is not eligible, too', () => {
    const records = logged(numbered(1, { Type: 'ContainerLog' }), numbered(1, { Type: 'ContainerLog' }));
    expect(foldBrief(records)).toEqual(['c1 1']);
  });

  it('let time pass all the same', () => {
    foldBrief(logged(numbered(1), numbered(2), numbered(3)));
    const repeat = { ...numbered(3), appendMs: START_MS + 60_000 };
    expect(foldBrief(logged(repeat))).toEqual(['c1 AlertThresholdEnded 1']);
  });
});

describe('tombstones', () => {
  it('report the open interval of their container, then go on as they came', () => {
    foldBrief(logged(...[0, 0, 0, 0].map(() => alertRecord(START_MS))));
    const headers = { NodeID: 'n1', BootID: 'b', Sequence: '1', trace: Buffer.from('t') };
    const [record] = logged({ ...tombstone(START_MS + 5, 'c1'), headers });
    folder.foldAll([record as RawRecord], limits);
    const { outputs } = folder.takeOutputs();
    expect(outputs.map(brief)).toEqual(['c1 AlertThresholdEnded 2', 'tombstone c1']);
    expect(outputs[1]).toMatchObject({ headers, timestampMs: START_MS + 5 });
    expect(fold.windowCount).toBe(0);
  });

  it('are repeats by the number in their headers, as text or bytes', () => {
    const identity = { NodeID: 'n1', BootID: 'b', Sequence: 4 };
    const bytes = Object.fromEntries(Object.entries(identity).map(([k, v]) => [k, Buffer.from(String(v))]));
    const records = logged(
      tombstone(START_MS, 'c1', identity),
      { ...tombstone(START_MS, 'c2'), headers: bytes },
      alertRecord(START_MS, { ...identity, Sequence: 4 }),
      tombstone(START_MS, 'c3', { ...identity, Sequence: 5 }),
      alertRecord(START_MS, { ...identity, Sequence: 5 }),
    );
    expect(foldBrief(records)).toEqual(['tombstone c1', 'tombstone c3']);
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
    expect(foldBrief(logged(record, record))).toEqual(['tombstone c1', 'tombstone c1']);
  });

  it('without a key are dead letters', () => {
    expect(foldBrief(logged({ appendMs: START_MS, key: null, value: null }))).toEqual(['dead no-key']);
  });
});

describe('a schema that is not known yet', () => {
  const v9 = new AlertWriter(9);
  const strange = (appendMs: number): NewRecord => ({
    ...alertRecord(appendMs),
    value: v9.encode(auditAlert({ Resource: 'v9' })),
  });

  it('stops the fold exactly in front of its record', () => {
    const records = logged(alertRecord(START_MS), strange(START_MS + 60_000), alertRecord(START_MS + 60_001));
    const before = new PartitionFold();
    const twin = new RecordFolder({ fold: before, schemas, topic: 'raw', partition: 3 });
    twin.foldAll(records.slice(0, 1), limits);
    expect(folder.foldAll(records, limits)).toEqual({ folded: 1, missingSchema: 9 });
    expect(folder.takeOutputs().counts.in).toBe(1);
    expect([fold.digest(), fold.timeMicros]).toEqual([before.digest(), before.timeMicros]);
  });

  it('lets it go on there once the schema is known', () => {
    const records = logged(strange(START_MS), alertRecord(START_MS, { Resource: '2' }));
    expect(folder.foldAll(records, limits)).toEqual({ folded: 0, missingSchema: 9 });
    schemas.register(9, avro.Type.forSchema({ type: 'record', name: 'alertthrottle.Alert', fields: [] }));
    expect(folder.foldAll(records, limits)).toEqual({ folded: 2, missingSchema: undefined });
  });

  it('makes a dead letter once the registry said for long enough that it has none', () => {
    schemas.giveUp(9);
    expect(foldBrief(logged(strange(START_MS), alertRecord(START_MS, { Resource: '2' })))).toEqual([
      'dead unknown-schema',
      'c1 2',
    ]);
  });
});

describe('poison', () => {
  const good = encoded(auditAlert());
  const key = Buffer.from('c1');
  const schema7 = Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), good.subarray(5)]);
  const withLong = (bytes: number[]): Buffer =>
    Buffer.concat([Buffer.from([0, 0, 0, 0, 8]), Buffer.from(bytes)]);

  beforeEach(() => {
    schemas.register(7, avro.Type.forSchema({ type: 'array', items: 'string' }));
    const Sequence = { name: 'Sequence', type: 'long' };
    schemas.register(
      8,
      avro.Type.forSchema({ type: 'record', name: 'alertthrottle.Alert', fields: [Sequence] }),
    );
  });

  it.each([
    ['no-magic-byte', { key, value: Buffer.from('{"a":1}') }],
    ['truncated', { key, value: Buffer.alloc(0) }],
    ['truncated', { key, value: good.subarray(0, 4) }],
    ['truncated', { key, value: good.subarray(0, good.length - 1) }],
    ['trailing-bytes', { key, value: Buffer.concat([good, Buffer.alloc(1)]) }],
    ['malformed', { key, value: withLong(Array<number>(10).fill(0xff)) }],
    ['not-an-alert-schema', { key, value: schema7 }],
    ['key-mismatch', { key: Buffer.from('c2'), value: good }],
    ['key-mismatch', { key: Buffer.alloc(0), value: good }],
    ['no-key', { key: null, value: good }],
    ['too-large', { key, value: encoded(auditAlert({ Message: 'm'.repeat(MAX_RECORD_BYTES) })) }],
  ])('is told as %s', (reason, record) => {
    const [raw] = logged({ ...record, appendMs: START_MS });
    folder.foldAll([raw as RawRecord], limits);
    const { outputs, counts } = folder.takeOutputs();
    const { value } = record;
    expect(outputs).toEqual([
      {
        topic: 'deadLetter',
        key: record.key,
        value,
        headers: {
          reason,
          detail: expect.stringMatching(/\w/) as unknown,
          topic: 'raw',
          partition: '3',
          offset: '0',
          size: String(value.length),
          truncated: 'false',
        },
        timestampMs: START_MS,
      },
    ]);
    expect(counts).toMatchObject({ in: 1, passed: 0, deadLetters: new Map([[reason, 1]]) });
    expect(fold.windowCount).toBe(0);
    expect(fold.timeMicros).toBe(START_MICROS);
  });

  it('lets time pass and the fold go on', () => {
    foldBrief(logged(...[0, 0, 0].map(() => alertRecord(START_MS))));
    const poison = { appendMs: START_MS + 60_000, key, value: Buffer.from('text') };
    expect(foldBrief(logged(poison, alertRecord(START_MS + 60_001, { Resource: 'next' })))).toEqual([
      'c1 AlertThresholdEnded 1',
      'dead no-magic-byte',
      'c1 next',
    ]);
  });

  it('is no record that is as large as allowed', () => {
    const room = MAX_RECORD_BYTES - encoded(auditAlert({ Message: 'm'.repeat(200_000) })).length + 200_000;
    const fits = alertRecord(START_MS, { Message: 'm'.repeat(room - 2) });
    expect(sizeOf(fits)).toBe(MAX_RECORD_BYTES);
    expect(foldBrief(logged(fits))).toHaveLength(1);
    expect(folder.takeOutputs().counts.deadLetters.size).toBe(0);
    expect(foldBrief(logged(alertRecord(START_MS, { Message: 'm'.repeat(room - 1) })))).toEqual([
      'dead too-large',
    ]);
  });

  // A broker takes 1 MiB as it comes, and what was compressed came smaller than it is: what goes out must fit always.
  it.each([
    ['a value', { key, value: Buffer.alloc(3_000_000, 1) }],
    ['a key', { key: Buffer.alloc(3_000_000, 0x63), value: good }],
    ['a key of a tombstone', { key: Buffer.alloc(3_000_000, 0x63), value: null }],
    ['a header', { key, value: good, headers: { h: Buffer.alloc(3_000_000) } }],
    ['a name of a header', { key, value: good, headers: { ['h'.repeat(3_000_000)]: 'x' } }],
    ['a header of a tombstone', { key, value: null, headers: { h: ['x'.repeat(3_000_000)] } }],
    [
      'what its key should be',
      { key, value: encoded(auditAlert({ ContainerID: 'c'.repeat(MAX_RECORD_BYTES - 1000) })) },
    ],
  ] satisfies [string, Omit<NewRecord, 'appendMs'>][])('is bounded, however large %s is', (_, record) => {
    folder.foldAll(logged({ ...record, appendMs: START_MS }), limits);
    const { outputs } = folder.takeOutputs();
    expect(outputs).toHaveLength(1);
    const [letter] = outputs as [OutputRecord];
    expect(letter.topic).toBe('deadLetter');
    expect(letter.value?.length ?? 0).toBeLessThanOrEqual(MAX_DEAD_LETTER_BYTES);
    expect(sizeOf(letter)).toBeLessThan(700 * 1024);
    const kept = (letter.value?.length ?? 0) === (record.value?.length ?? 0);
    expect(letter.headers).toMatchObject({
      size: String(record.value?.length ?? 0),
      truncated: String(!kept),
    });
  });
});

/** All bytes of a record that vary. */
function sizeOf({
  key,
  value,
  headers = {},
}: Pick<NewRecord, 'key' | 'value'> & { headers?: object }): number {
  const headerBytes = Object.entries(headers)
    .flat()
    .map((text) => String(text).length);
  return headerBytes.reduce((sum, bytes) => sum + bytes, (key?.length ?? 0) + (value?.length ?? 0));
}
