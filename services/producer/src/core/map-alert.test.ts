import { makeAlert, type Alert } from '@alert-throttle/alert';
import { describe, expect, it } from 'vitest';
import { alertRecord } from '../adapters/alert-schemas.ts';
import { feedAlert, logFileAlert } from '../testing/kubearmor-json.ts';
import { fieldTable } from './alert-fields.ts';
import { mapAlert, MAX_UNKNOWN_FIELDS, type Mapped, type MappedAlert } from './map-alert.ts';

const NOW_MICROS = 1_795_417_200_000_000;
const context = { fields: fieldTable(alertRecord), nodeId: 'this-node', nowMicros: () => NOW_MICROS };

function map(json: unknown): Mapped {
  return mapAlert(JSON.parse(JSON.stringify(json)), context);
}

function mapped(json: unknown): MappedAlert {
  const result = map(json);
  if (result.kind !== 'alert') throw new Error(JSON.stringify(result));
  return result;
}

function alertOf(json: unknown): Alert {
  const { alert } = mapped(json);
  return { ...alert, EventData: { ...alert.EventData } };
}

describe('mapAlert', () => {
  it('reads the spelling of the feed, every field under its own name', () => {
    expect(alertOf(feedAlert())).toEqual(
      makeAlert({ ...(feedAlert() as Partial<Alert>), EventTimeMicros: 1_647_101_470_296_322 }),
    );
  });

  it('reads the spelling of the log file as the same alert, and keeps what only that one has', () => {
    const expected = alertOf(feedAlert());
    expect(alertOf(logFileAlert())).toEqual({ ...expected, EventData: { Syscall: 'SYS_EXECVE', oid: '0' } });
  });

  it.each([
    [
      'AlertThreshold',
      { Type: 'SystemEvent', Operation: 'AlertThreshold', MaxAlertsPerSec: 10, DroppingAlertsInterval: 30 },
    ],
    ['a host alert', { Type: 'MatchedHostPolicy', ContainerID: undefined, UserName: 'root' }],
    ['a type of the future', { Type: 'MatchedUsbPolicy' }],
  ])('takes %s', (_, fields) => {
    expect(alertOf(feedAlert(fields))).toMatchObject(JSON.parse(JSON.stringify(fields)) as object);
  });

  it('takes the node of the settings for an alert that names none', () => {
    expect(alertOf(feedAlert({ NodeID: '' })).NodeID).toBe('this-node');
    expect(alertOf(feedAlert({ NodeID: null })).NodeID).toBe('this-node');
  });

  describe('times', () => {
    it('takes Timestamp where UpdatedTime is missing or unreadable', () => {
      expect(alertOf(feedAlert({ UpdatedTime: undefined })).EventTimeMicros).toBe(1_647_101_470_000_000);
      expect(alertOf(feedAlert({ UpdatedTime: 'soon' })).EventTimeMicros).toBe(1_647_101_470_000_000);
    });

    it('fills in a Timestamp that is missing', () => {
      expect(alertOf(feedAlert({ Timestamp: undefined })).Timestamp).toBe(1_647_101_470);
    });

    it('takes the time of reading where there is none, and says so', () => {
      const result = mapped(feedAlert({ Timestamp: undefined, UpdatedTime: undefined }));
      expect(result).toMatchObject({
        guessedTime: true,
        alert: { EventTimeMicros: NOW_MICROS, Timestamp: 0 },
      });
      expect(mapped(feedAlert()).guessedTime).toBe(false);
    });

    it.each([
      ['the future', '2099-01-01T00:00:00.000000Z', Date.UTC(2099, 0) * 1000],
      ['1970', '1970-01-01T00:00:01.000000Z', 1_000_000],
    ])('keeps a time in %s', (_, UpdatedTime, micros) => {
      expect(alertOf(feedAlert({ UpdatedTime })).EventTimeMicros).toBe(micros);
    });
  });

  describe('values of another type', () => {
    it('takes numbers for text, and text for numbers, where nothing is lost', () => {
      const alert = alertOf(
        feedAlert({ Severity: 3, Timestamp: '1647101470', PID: '205', ATags: [1, 'two'] }),
      );
      expect(alert).toMatchObject({ Severity: '3', Timestamp: 1_647_101_470, PID: 205, ATags: ['1', 'two'] });
    });

    it.each([
      ['PID', 'abc'],
      ['PID', 2 ** 31],
      ['pid', '2147483648'],
      ['PID', 1.5],
      ['PID', ' 5'],
      ['UID', true],
      ['Timestamp', 2 ** 60],
      ['Severity', 2 ** 60],
      ['Message', { text: 'x' }],
      ['policyName', ['x']],
      ['ATags', 'WARNING'],
      ['ATags', [['x']]],
      ['Owner', 'wordpress'],
      ['Owner', { Name: { first: 'x' } }],
      ['ExecEvent', []],
      ['EventData', 'k=v'],
    ])('refuses %s: %j by name', (name, value) => {
      // The first spelling of a field counts, so it stands before the rest.
      const json = { [name]: value, ...feedAlert(), ...(name in feedAlert() ? { [name]: value } : {}) };
      expect(map(json)).toMatchObject({
        kind: 'refused',
        reason: 'wrong-field-type',
        detail: expect.stringMatching(new RegExp(`^${name}: `)) as string,
      });
    });

    it('takes null for missing, as Go writes empty lists and objects', () => {
      const alert = alertOf(feedAlert({ ATags: null, Owner: null, PolicyName: null, EventData: null }));
      expect(alert).toMatchObject({ ATags: [], Owner: null, PolicyName: '', EventData: {} });
    });

    it('takes a record without any text for none', () => {
      const alert = alertOf(feedAlert({ ExecEvent: { ExecID: '', ExecutableName: '' }, Owner: {} }));
      expect(alert).toMatchObject({ ExecEvent: null, Owner: null });
    });

    it('reads the names inside of a record in any case', () => {
      expect(alertOf(feedAlert({ Owner: { ref: 'Pod', name: 'a', namespace: 'b' } })).Owner).toEqual({
        Ref: 'Pod',
        Name: 'a',
        Namespace: 'b',
      });
    });
  });

  describe('fields that nobody knows', () => {
    it('survive in EventData, as text or JSON', () => {
      const result = mapped(feedAlert({ Color: 'red', Depth: 3, Nested: { a: [1, null] }, Gone: null }));
      expect(result.alert.EventData).toMatchObject({ Color: 'red', Depth: '3', Nested: '{"a":[1,null]}' });
      expect(result).toMatchObject({ unknownFields: 3, droppedFields: 0 });
    });

    it('include those that only this program may set', () => {
      const own = {
        BootID: 'x',
        Sequence: 99,
        EventTimeMicros: 1,
        Throttle: { Late: true },
        Lost: { First: 1 },
      };
      const { alert } = mapped(feedAlert(own));
      expect(alert).toMatchObject({ BootID: '', Sequence: 0, Throttle: null, Lost: null });
      expect(alert.EventTimeMicros).toBe(1_647_101_470_296_322);
      expect(alert.EventData).toMatchObject({ BootID: 'x', Sequence: '99', Throttle: '{"Late":true}' });
    });

    it('do not replace what EventData says', () => {
      const result = mapped(feedAlert({ Syscall: 'another' }));
      expect(result.alert.EventData['Syscall']).toBe('SYS_EXECVE');
      expect(result).toMatchObject({ unknownFields: 0, droppedFields: 1 });
    });

    it('include the second of two spellings of one field', () => {
      const { alert } = mapped({ ...feedAlert(), policyName: 'another' });
      expect(alert.PolicyName).toBe('ksp-wordpress-block-process');
      expect(alert.EventData['policyName']).toBe('another');
    });

    it('may be named __proto__', () => {
      const json: unknown = JSON.parse(
        '{"Type":"MatchedPolicy","Operation":"File","__proto__":"x","EventData":{"__proto__":"y"}}',
      );
      const result = mapAlert(json, context);
      expect(result).toMatchObject({ kind: 'alert', unknownFields: 0, droppedFields: 1 });
      if (result.kind === 'alert')
        expect(Object.entries(result.alert.EventData)).toEqual([['__proto__', 'y']]);
    });

    it('are counted where they are too many', () => {
      const many = Object.fromEntries(
        Array.from({ length: MAX_UNKNOWN_FIELDS + 5 }, (_, index) => [`x${index}`, index]),
      );
      expect(mapped(feedAlert(many))).toMatchObject({ unknownFields: MAX_UNKNOWN_FIELDS, droppedFields: 5 });
    });

    it('are counted where they are too large, or nested too deep', () => {
      const deep = JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`) as unknown;
      const json = { ...feedAlert(), big: 'x'.repeat(20_000), deep, small: 'y' };
      const result = mapAlert(json, context);
      expect(result).toMatchObject({ kind: 'alert', unknownFields: 1, droppedFields: 2 });
    });
  });

  describe('what is no alert', () => {
    it.each([null, 1, 'text', true, [], [{}]])('refuses JSON that is no object: %j', (json) => {
      expect(map(json)).toMatchObject({ kind: 'refused', reason: 'not-an-object' });
    });

    it.each([
      ['an empty object', {}],
      ['a message of KubeArmor', { Timestamp: 1, Level: 'INFO', Message: 'started' }],
      ['no Type', feedAlert({ Type: undefined })],
      ['no Operation', feedAlert({ Operation: '' })],
      ['telemetry of a container', feedAlert({ Type: 'ContainerLog' })],
      ['telemetry of a host', logFileAlert({ type: 'HostLog' })],
    ])('refuses %s', (_, json) => {
      expect(map(json)).toMatchObject({ kind: 'refused', reason: 'not-an-alert' });
    });

    it('keeps the reason short', () => {
      const result = map(feedAlert({ PID: 'x'.repeat(100_000) }));
      expect(result).toMatchObject({ kind: 'refused' });
      if (result.kind === 'refused') expect(result.detail.length).toBeLessThan(400);
    });
  });

  describe('the end of a container', () => {
    it.each([
      { Operation: 'ContainerDeleted', ContainerID: 'abc' },
      { operation: 'ContainerDeleted', containerID: 'abc' },
    ])('is a tombstone: %j', (json) => {
      expect(map(json)).toEqual({ kind: 'tombstone', containerId: 'abc', nodeId: 'this-node' });
    });

    it('keeps the node that says so', () => {
      const json = { Operation: 'ContainerDeleted', ContainerID: 'abc', NodeID: 'node-7' };
      expect(map(json)).toEqual({ kind: 'tombstone', containerId: 'abc', nodeId: 'node-7' });
    });

    it('needs the container', () => {
      expect(map({ Operation: 'ContainerDeleted' })).toMatchObject({
        kind: 'refused',
        reason: 'not-an-alert',
      });
    });
  });
});
