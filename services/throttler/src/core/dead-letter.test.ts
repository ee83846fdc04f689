// Every reason for which a record is no alert, and what is kept of it.

import avro from 'avsc';
import { beforeEach, describe, expect, it } from 'vitest';

import type { OutputRecord } from '../ports.ts';
import { Folding, SMALL_LIMITS as limits } from '../testing/folding.ts';
import type { NewRecord } from '../testing/memory-log.ts';
import { alertRecord, auditAlert, encoded, START_MS } from '../testing/raw-alerts.ts';
import { MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES } from './dead-letter.ts';

let on: Folding;

beforeEach(() => {
  on = new Folding();
});

describe('poison', () => {
  const good = encoded(auditAlert());
  const key = Buffer.from('c1');
  const schema7 = Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), good.subarray(5)]);
  const withLong = (bytes: number[]): Buffer =>
    Buffer.concat([Buffer.from([0, 0, 0, 0, 8]), Buffer.from(bytes)]);

  beforeEach(() => {
    on.schemas.register(7, avro.Type.forSchema({ type: 'array', items: 'string' }));
    const Sequence = { name: 'Sequence', type: 'long' };
    on.schemas.register(
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
    on.folder.foldAll(on.logged({ ...record, appendMs: START_MS }), limits);
    const { outputs, counts } = on.folder.takeOutputs();
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
    expect(on.fold.windowCount).toBe(0);
    expect(on.fold.timeMicros).toBe(START_MS * 1000 + 999);
  });

  it('lets time pass and the fold go on', () => {
    on.run(on.logged(...[0, 0, 0].map(() => alertRecord(START_MS))));
    const poison = { appendMs: START_MS + 60_000, key, value: Buffer.from('text') };
    expect(on.run(on.logged(poison, alertRecord(START_MS + 60_001, { Resource: 'next' })))).toEqual([
      'c1 AlertThresholdEnded 1',
      'dead no-magic-byte',
      'c1 next',
    ]);
  });

  it('is no record that is as large as allowed', () => {
    const room = MAX_RECORD_BYTES - encoded(auditAlert({ Message: 'm'.repeat(200_000) })).length + 200_000;
    const fits = alertRecord(START_MS, { Message: 'm'.repeat(room) });
    expect(fits.value).toHaveLength(MAX_RECORD_BYTES);
    expect(on.run(on.logged(fits))).toEqual(['c1 /usr/bin/apt']);
    expect(on.run(on.logged(alertRecord(START_MS, { Message: 'm'.repeat(room + 1) })))).toEqual([
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
    on.folder.foldAll(on.logged({ ...record, appendMs: START_MS }), limits);
    const { outputs } = on.folder.takeOutputs();
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
}: Pick<NewRecord, 'key' | 'value'> & { headers?: object | undefined }): number {
  const headerBytes = Object.entries(headers)
    .flat()
    .map((text) => String(text).length);
  return headerBytes.reduce((sum, bytes) => sum + bytes, (key?.length ?? 0) + (value?.length ?? 0));
}
