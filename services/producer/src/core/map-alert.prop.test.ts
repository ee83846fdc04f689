import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alertEncoder, alertRecord, decodeVersion, newestVersion } from '../adapters/alert-schemas.ts';
import { feedAlert, logFileAlert } from '../testing/kubearmor-json.ts';
import { fieldTable } from './alert-fields.ts';
import { mapAlert, type Mapped } from './map-alert.ts';
import { readLine } from './read-line.ts';

const context = {
  fields: fieldTable(alertRecord),
  nodeId: 'this-node',
  nowMicros: () => 1_795_417_200_000_000,
};

/** Values that fields do and do not take, with names that are known in some spelling, and any others. */
const values = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('', 'x', 0, 1, -1, '7', 2 ** 31, 2 ** 53, -0, 0.1, 1e300, true, null),
  },
  { weight: 2, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);
const names = fc.oneof(
  fc.constantFrom(
    ...Object.keys(feedAlert()),
    ...Object.keys(logFileAlert()),
    '__proto__',
    'constructor',
    'Sequence',
  ),
  fc.string(),
);
const changedAlerts = fc.array(fc.tuple(names, values), { maxLength: 8 }).map((changes) => {
  const json = { ...feedAlert() };
  for (const [name, value] of changes)
    Object.defineProperty(json, name, { value, enumerable: true, configurable: true, writable: true });
  return json;
});

/** What is in the alert is what a consumer reads. Half of a surrogate pair is no text, and becomes U+FFFD. */
function check(mapped: Mapped): void {
  if (mapped.kind !== 'alert') return;
  const read = decodeVersion(Buffer.from(alertEncoder.encode(mapped.alert)), newestVersion);
  expect(wellFormed(read)).toEqual(wellFormed(mapped.alert));
}

/** Nor is there a `__proto__`: avsc's reader, though not its writer, loses that key of a map. */
function wellFormed(alert: object): unknown {
  const text = JSON.stringify(alert, (key, value: unknown) => {
    if (key === '__proto__') return undefined;
    return typeof value === 'string' ? value.toWellFormed() : value;
  });
  return JSON.parse(text);
}

describe('mapAlert', () => {
  it('makes of any JSON an alert that can be encoded, or says why not', () => {
    fc.assert(fc.property(fc.jsonValue(), (json) => check(mapAlert(json, context))));
  });

  it('makes of any change of an alert one that can be encoded, or says why not', () => {
    fc.assert(
      fc.property(changedAlerts, (json) => check(mapAlert(json, context))),
      { numRuns: 1000 },
    );
  });

  it('keeps every text and number of an alert, in both spellings', () => {
    const fields = fc.record({
      Message: fc.string({ unit: 'grapheme' }),
      Resource: fc.string({ unit: 'grapheme' }),
      Severity: fc.string(),
      PID: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      ATags: fc.array(fc.string()),
      EventData: fc.dictionary(
        // As for `wellFormed`.
        fc.string().filter((key) => key !== '__proto__'),
        fc.string(),
      ),
    });
    fc.assert(
      fc.property(fields, fc.boolean(), (changed, logFile) => {
        const { Message: message, Resource: resource, Severity: severity, PID: pid, ATags: atags } = changed;
        const json = logFile
          ? logFileAlert({ message, resource, severity, pid, atags, eventData: changed.EventData, oid: null })
          : feedAlert(changed);
        const mapped = mapAlert(JSON.parse(JSON.stringify(json)), context);
        if (mapped.kind !== 'alert') throw new Error(JSON.stringify(mapped));
        const read = decodeVersion(Buffer.from(alertEncoder.encode(mapped.alert)), newestVersion);
        expect(read).toMatchObject({ ...changed, EventData: {} });
        expect(Object.entries(read.EventData).sort()).toEqual(Object.entries(changed.EventData).sort());
      }),
    );
  });
});

describe('readLine', () => {
  it('makes something of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const line = {
          number: 1,
          bytes: Buffer.from(bytes),
          size: bytes.length,
          truncated: false,
          endOffset: 0,
        };
        expect(['alert', 'tombstone', 'refused']).toContain(readLine(line, context).kind);
      }),
    );
  });
});
