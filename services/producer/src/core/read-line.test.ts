import { describe, expect, it } from 'vitest';
import { alertRecord } from '../adapters/alert-schemas.ts';
import { feedAlert } from '../testing/kubearmor-json.ts';
import { fieldTable } from './alert-fields.ts';
import type { Mapped } from './map-alert.ts';
import { readLine } from './read-line.ts';

const context = { fields: fieldTable(alertRecord), nodeId: 'this-node', nowMicros: () => 0 };

function read(bytes: Buffer, truncated = false): Mapped {
  return readLine({ number: 1, bytes, size: bytes.length, truncated, endOffset: bytes.length }, context);
}

describe('readLine', () => {
  it('reads an alert', () => {
    expect(read(Buffer.from(JSON.stringify(feedAlert())))).toMatchObject({ kind: 'alert' });
  });

  it.each([
    ['a line that was cut', 'line-too-long', read(Buffer.from('{"Type":"Mat'), true)],
    ['invalid UTF-8', 'invalid-utf8', read(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))],
    ['UTF-16', 'invalid-utf8', read(Buffer.from('\ufeff{}', 'utf16le'))],
    ['half an object', 'invalid-json', read(Buffer.from('{"Type":"MatchedPolicy"'))],
    ['two objects', 'invalid-json', read(Buffer.from('{} {}'))],
    ['a list', 'not-an-object', read(Buffer.from('[]'))],
    ['an empty object', 'not-an-alert', read(Buffer.from('{}'))],
  ])('refuses %s', (_, reason, mapped) => {
    expect(mapped).toMatchObject({ kind: 'refused', reason });
  });

  it('refuses what is nested a million levels deep', () => {
    const deep = Buffer.from(`{"Type":${'['.repeat(500_000)}`);
    expect(read(deep)).toMatchObject({ kind: 'refused', reason: 'invalid-json' });
  });
});
