/** Whatever the bytes: a value or an AlertFormatError, and both ways of reading agree on which. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { containerKey, makeAlert } from './alert.ts';
import { AlertFormatError } from './errors.ts';
import type { Alert } from './generated/alert.ts';
import { createReader, type AlertReader } from './reader.ts';
import { alertType, releasedSchemas } from './schemas.ts';
import { AlertWriter } from './writer.ts';

const readers = releasedSchemas.map(({ type }) => createReader(type));
const newest = createReader(alertType);

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 90 }),
  fc.constantFrom('', 'MatchedPolicy', 'Audit'),
);
const long = fc.integer({ min: -(2 ** 52), max: Number.MAX_SAFE_INTEGER - 1 });
const position = fc.option(fc.record({ Partition: fc.integer(), Offset: long }));
const counts = fc.array(fc.record({ Name: text, Alerts: long }), { maxLength: 4 });
const alert: fc.Arbitrary<Alert> = fc
  .record(
    {
      ...{
        ContainerID: text,
        NodeID: text,
        BootID: text,
        Type: text,
        Severity: text,
        Message: text,
        Data: text,
      },
      ...{ Sequence: long, EventTimeMicros: long, Timestamp: long, PID: fc.integer(), UID: fc.integer() },
      ATags: fc.array(text, { maxLength: 4 }),
      EventData: fc.dictionary(
        text.filter((key) => key !== '__proto__'),
        text,
        { maxKeys: 4, noNullPrototype: true },
      ),
      Owner: fc.option(fc.record({ Ref: text, Name: text, Namespace: text })),
      Throttle: fc.option(
        fc.record({
          ...{ IntervalStartMicros: long, IntervalEndMicros: long, DroppedAlerts: long, LimitsVersion: text },
          ...{ Profile: text, Late: fc.boolean(), EndedBy: text },
          Trigger: fc.option(fc.record({ Operation: text, PolicyName: text, Source: text, Resource: text })),
          ...{
            DroppedByPolicy: counts,
            DroppedByOperation: counts,
            FirstDropped: position,
            LastDropped: position,
            FirstDroppedMicros: long,
            LastDroppedMicros: long,
            LostAlerts: long,
            Scope: text,
            Containers: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
          },
        }),
      ),
    },
    { requiredKeys: [] },
  )
  .map((fields) => makeAlert(fields));
const writer = new AlertWriter(1);

/** What reading gives: the value, or the code of the only error that may be thrown. */
function outcome<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof AlertFormatError) return error.code;
    throw error;
  }
}

function readBothWays(reader: AlertReader, value: Buffer): void {
  const leading = outcome(() => reader.leading(value));
  const whole = outcome(() => reader.decode(value));
  if (typeof leading === 'string' || typeof whole === 'string') expect(leading).toEqual(whole);
  else expect(whole).toMatchObject(leading);
}

describe('alerts one after the other', () => {
  it('read the same as each by itself, whatever was read before and wherever they lie', () => {
    const names = fc.constantFrom('', 'c1', 'c2', 'é', 'x'.repeat(64));
    const few = fc
      .record({ ContainerID: names, NodeID: names, Type: names, PolicyName: names, Sequence: fc.nat(9) })
      .map((some) => makeAlert(some));
    const cut = fc.tuple(fc.oneof(few, alert), fc.option(fc.nat(), { freq: 2 }));
    fc.assert(
      fc.property(fc.array(cut, { minLength: 5, maxLength: 30 }), (alerts) => {
        const used = createReader(alertType);
        for (const [value, end] of alerts) {
          const bytes = writer.encode(value);
          const to = end === null ? bytes.length : end % bytes.length;
          const around = Buffer.concat([Buffer.alloc(7, 1), bytes.subarray(0, to), Buffer.alloc(9, 2)]);
          const found = outcome(() => ({ ...used.leading(around, 7, 7 + to) }));
          if (typeof found === 'string' || to < bytes.length) {
            expect([found, to < bytes.length]).toEqual(['TRUNCATED', true]);
            continue;
          }
          expect(value).toMatchObject(found);
          expect(Object.keys(found)).toHaveLength(12);
          for (const key of [containerKey(found), 'c1', 'c2', 'host:', 'host:c1']) {
            const among = Buffer.from(`<${key}>`);
            expect(used.hasKey(among, 1, among.length - 1)).toBe(key === containerKey(found));
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('any bytes', () => {
  it('what is written is read', () => {
    fc.assert(
      fc.property(alert, (value) => {
        const bytes = writer.encode(value);
        expect(newest.decode(bytes)).toEqual(value);
        readBothWays(newest, bytes);
      }),
    );
  });

  it('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, framed) => {
        const value = Buffer.concat([Buffer.from(framed ? [0, 0, 0, 0, 1] : []), bytes]);
        for (const reader of readers) readBothWays(reader, value);
      }),
      { numRuns: 3000 },
    );
  });

  it('an alert with some bytes changed, put in or taken out', () => {
    const change = fc.tuple(fc.nat(), fc.nat(3), fc.uint8Array({ maxLength: 12 }));
    fc.assert(
      fc.property(alert, fc.array(change, { minLength: 1, maxLength: 4 }), (value, changes) => {
        let bytes = writer.encode(value);
        for (const [where, removed, added] of changes) {
          const at = 5 + (where % (bytes.length - 5));
          bytes = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
          if (bytes.length <= 5) return;
        }
        for (const reader of readers) readBothWays(reader, bytes);
      }),
      { numRuns: 3000 },
    );
  });
});
