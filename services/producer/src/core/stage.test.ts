import { describe, expect, it } from 'vitest';
import { alertEncoder, alertRecord, decodeVersion, newestVersion } from '../adapters/alert-schemas.ts';
import { feedAlert } from '../testing/kubearmor-json.ts';
import { fieldTable } from './alert-fields.ts';
import { extendLoss, lostAlerts } from './loss.ts';
import { readLine } from './read-line.ts';
import { recordBytes, type NewRecord } from './record.ts';
import { Stage } from './stage.ts';

const context = { fields: fieldTable(alertRecord), nodeId: 'node-9', nowMicros: () => 0 };

function newStage(): Stage {
  return new Stage(alertEncoder, { nodeId: 'node-9', bootId: 'boot-1', sourceName: '/a.jsonl' });
}

function add(
  stage: Stage,
  json: unknown,
  more: { size?: number; truncated?: boolean } = {},
): string | undefined {
  const bytes = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
  const line = { number: 12, bytes, size: bytes.length, truncated: false, endOffset: 0, ...more };
  return stage.add(line, readLine(line, context));
}

function decode({ value }: NewRecord): Record<string, unknown> {
  const bytes = Buffer.from(value ?? []);
  expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
  return { ...decodeVersion(bytes, newestVersion) };
}

describe('Stage', () => {
  it('numbers alerts and tombstones, and puts them under the key of their container', () => {
    const stage = newStage();
    stage.begin(41, undefined, 0);
    add(stage, feedAlert({ ContainerID: 'abc' }));
    add(stage, { Operation: 'ContainerDeleted', ContainerID: 'abc', NodeID: 'node-1' });
    add(stage, feedAlert({ ContainerID: '', NodeID: 'node-1' }));
    const [alert, tombstone, host] = stage.records;
    expect(alert).toMatchObject({ kind: 'alert', key: 'abc', headers: null });
    expect(alert && decode(alert)).toMatchObject({
      ContainerID: 'abc',
      NodeID: 'node-1',
      BootID: 'boot-1',
      Sequence: 41,
    });
    expect(tombstone).toMatchObject({ kind: 'tombstone', key: 'abc', value: null });
    expect(JSON.parse(tombstone?.headers ?? '')).toEqual({
      NodeID: 'node-1',
      BootID: 'boot-1',
      Sequence: '42',
    });
    expect(host && decode(host)).toMatchObject({ Sequence: 43 });
    expect(host?.key).toBe('host:node-1');
    expect(stage).toMatchObject({ firstSequence: 41, nextSequence: 44, numbered: 3, deadLetters: 0 });
    expect(stage.bytes).toBe(stage.records.reduce((sum, record) => sum + recordBytes(record), 0));
  });

  it('makes a dead letter of what is no alert, without a number', () => {
    const stage = newStage();
    stage.begin(1, undefined, 0);
    expect(add(stage, '{"broken"')).toBe('invalid-json');
    const [letter] = stage.records;
    expect(letter).toMatchObject({ kind: 'deadLetter', key: 'host:node-9', value: Buffer.from('{"broken"') });
    expect(JSON.parse(letter?.headers ?? '')).toEqual({
      reason: 'invalid-json',
      detail: expect.stringContaining('JSON') as string,
      source: '/a.jsonl',
      line: '12',
      size: '9',
      truncated: 'false',
      nodeId: 'node-9',
    });
    expect(stage).toMatchObject({ nextSequence: 1, numbered: 0, deadLetters: 1 });
  });

  it('keeps 512 KiB of a line, and says how long it was', () => {
    const stage = newStage();
    stage.begin(1, undefined, 0);
    add(stage, `"${'x'.repeat(600 * 1024)}"`);
    add(stage, 'head', { size: 2_097_152, truncated: true });
    const [whole, cut] = stage.records;
    expect(whole?.value).toHaveLength(512 * 1024);
    expect(JSON.parse(whole?.headers ?? '')).toMatchObject({
      reason: 'not-an-object',
      size: '614402',
      truncated: 'true',
    });
    expect(JSON.parse(cut?.headers ?? '')).toMatchObject({
      reason: 'line-too-long',
      size: '2097152',
      truncated: 'true',
    });
  });

  it('makes a dead letter of an alert that is too large for the throttler', () => {
    const stage = newStage();
    stage.begin(1, undefined, 0);
    expect(add(stage, feedAlert({ Message: 'x'.repeat(256 * 1024) }))).toBe('alert-too-large');
    expect(add(stage, feedAlert({ Message: 'x'.repeat(255 * 1024) }))).toBeUndefined();
    expect(stage.records.map(({ kind }) => kind)).toEqual(['deadLetter', 'alert']);
    expect(stage.nextSequence).toBe(2);
  });

  it('announces a loss before anything else, with a number of its own', () => {
    const stage = newStage();
    stage.begin(10, { first: 4, last: 9, reason: 'spool full' }, 1_795_417_200_123_456);
    add(stage, feedAlert());
    const [event, alert] = stage.records;
    expect(event).toMatchObject({ kind: 'alertsLost', key: 'host:node-9' });
    expect(event && decode(event)).toMatchObject({
      Type: 'SystemEvent',
      Operation: 'AlertsLost',
      Enforcer: '',
      NodeID: 'node-9',
      BootID: 'boot-1',
      Sequence: 10,
      EventTimeMicros: 1_795_417_200_123_456,
      UpdatedTime: '2026-11-23T07:00:00.123456Z',
      Lost: { LostAlerts: 6, First: 4, Last: 9, Counter: 'sequence', Reason: 'spool full' },
    });
    expect(alert && decode(alert)).toMatchObject({ Sequence: 11 });
    expect(stage).toMatchObject({ firstSequence: 10, nextSequence: 12, numbered: 1 });
  });

  it('is empty again after begin()', () => {
    const stage = newStage();
    stage.begin(1, { first: 1, last: 1, reason: 'disk full' }, 0);
    add(stage, feedAlert());
    stage.begin(7, undefined, 0);
    expect(stage).toMatchObject({
      records: [],
      bytes: 0,
      numbered: 0,
      deadLetters: 0,
      firstSequence: 7,
      nextSequence: 7,
    });
  });

  it('keeps the bytes of many alerts apart', () => {
    const stage = newStage();
    stage.begin(1, undefined, 0);
    const messages = Array.from({ length: 40 }, (_, index) => String(index).repeat(1 + index * 3_000));
    for (const Message of messages) add(stage, feedAlert({ Message }));
    expect(stage.records.map((record) => decode(record)['Message'])).toEqual(messages);
  });
});

describe('Loss', () => {
  it('begins, and goes on', () => {
    const first = extendLoss(undefined, 5, 3, 'spool full');
    expect(first).toEqual({ first: 5, last: 7, reason: 'spool full' });
    expect(extendLoss(first, 8, 2, 'disk full')).toEqual({ first: 5, last: 9, reason: 'spool full' });
    expect(extendLoss(first, 8, 0, 'disk full')).toBe(first);
    expect(first && lostAlerts(first)).toBe(3);
  });
});
