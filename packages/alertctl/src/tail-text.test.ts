import { AlertFormatError, makeAlert, RegistryUnavailableError } from '@alert-throttle/alert';
import { describe, expect, test } from 'vitest';
import { matches, recordJson, recordText, type TailContent, type TailRecord } from './tail-text.ts';
import { contentOf } from './tail.ts';

const alert = makeAlert({
  ContainerID: 'a'.repeat(64),
  EventTimeMicros: Date.UTC(2026, 0, 23, 7, 2, 11) * 1_000,
  Operation: 'Process',
  Action: 'Audit',
  NamespaceName: 'shop',
  PodName: 'web-0',
  ContainerName: 'web',
  PolicyName: 'audit-shells',
  Source: '/bin/sh',
  Resource: '/bin/ls \x1b[2J',
});
const threshold = { ...alert, Type: 'SystemEvent', Operation: 'AlertThreshold', MaxAlertsPerSec: 2 };

function record(content: TailContent): TailRecord {
  return { partition: 3, offset: '17', appendedAtMs: Date.UTC(2026, 0, 23), key: 'a'.repeat(64), content };
}

describe('recordText', () => {
  test('given an alert, then it is one line, without what steers a terminal', () => {
    expect(recordText(record({ kind: 'alert', alert }))).toBe(
      '2026-01-23 07:02:11.000Z  shop/web-0 (web)  Process  Audit  audit-shells  /bin/sh  /bin/ls \\u001b[2J',
    );
  });

  test.each(['AlertThreshold', 'AlertThresholdEnded', 'AlertsLost'])(
    'given %s, then it is shown in full',
    (Operation) => {
      const text = recordText(record({ kind: 'alert', alert: { ...threshold, Operation } }));
      expect(text).toContain(`--- ${Operation} (partition 3 offset 17)`);
      expect(text).toContain('\nMaxAlertsPerSec: 2\n');
      expect(text).toContain('\nPPID: 0\n');
    },
  );

  test('given a tombstone or bytes that are no alert, then it is said', () => {
    expect(recordText(record({ kind: 'containerDeleted' }))).toContain('aaaaaaaaaaaa  container deleted');
    const bad = record({ kind: 'undecodable', code: 'TRUNCATED', reason: 'it ends early', bytes: 9 });
    expect(recordText(bad)).toContain(
      'partition 3 offset 17  NOT READABLE (TRUNCATED, 9 bytes): it ends early',
    );
  });
});

test('given any record, then its JSON is one line that says where it lies', () => {
  for (const content of [
    { kind: 'alert', alert } as const,
    { kind: 'containerDeleted' } as const,
    { kind: 'undecodable', code: 'TRUNCATED', reason: 'r', bytes: 9 } as const,
  ]) {
    const line = recordJson(record(content));
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toMatchObject({ partition: 3, offset: '17', key: 'a'.repeat(64) });
  }
});

describe('matches', () => {
  const ofAlert = record({ kind: 'alert', alert });
  const deleted = record({ kind: 'containerDeleted' });

  test('given the beginning of a container id, then its alerts and its tombstone match', () => {
    expect([ofAlert, deleted].map((one) => matches(one, { container: 'aaaa' }))).toEqual([true, true]);
    expect([ofAlert, deleted].map((one) => matches(one, { container: 'b' }))).toEqual([false, false]);
    const host = { ...record({ kind: 'alert', alert: { ...alert, ContainerID: '' } }), key: 'host:n1' };
    expect(matches(host, { container: 'host:n1' })).toBe(true);
  });

  test('given an operation, then only its alerts match', () => {
    expect(matches(ofAlert, { operation: 'process' })).toBe(true);
    expect(matches(ofAlert, { operation: 'File' })).toBe(false);
    expect(matches(deleted, { operation: 'Process' })).toBe(false);
  });
});

describe('contentOf', () => {
  test('given no value, then the container was deleted', async () => {
    expect(await contentOf({ decode: () => Promise.resolve(alert) }, null)).toEqual({
      kind: 'containerDeleted',
    });
  });

  test('given a value that is no alert, then why', async () => {
    const decode = (): Promise<never> => Promise.reject(new AlertFormatError('TRUNCATED', 'it ends early'));
    expect(await contentOf({ decode }, Buffer.from('abc'))).toEqual({
      kind: 'undecodable',
      code: 'TRUNCATED',
      reason: 'it ends early',
      bytes: 3,
    });
  });

  test('given a registry that answers again, then the alert', async () => {
    let attempts = 0;
    const decode = (): Promise<typeof alert> =>
      ++attempts < 2 ? Promise.reject(new RegistryUnavailableError('away')) : Promise.resolve(alert);
    expect(await contentOf({ decode }, Buffer.from('abc'))).toEqual({ kind: 'alert', alert });
  });
});
