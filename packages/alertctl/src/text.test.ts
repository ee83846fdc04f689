import { expect, test } from 'vitest';
import { duration, plain, plural, shortContainer, table, utc } from './text.ts';

test('given escape sequences, line breaks and reversed text, then they are shown and not obeyed', () => {
  expect(plain('a\x1b[31mb\nc\u202ed\u0085')).toBe('a\\u001b[31mb\\u000ac\\u202ed\\u0085');
  expect(plain('/bin/größe ✓')).toBe('/bin/größe ✓');
});

test('given rows, then columns are aligned, and no line ends in spaces', () => {
  expect(
    table(
      ['A', 'LONG'],
      [
        ['aaaa', 'x'],
        ['', ''],
      ],
    ),
  ).toBe('A     LONG\naaaa  x\n');
});

test.each([
  [-1, '0 s'],
  [4.4, '4 s'],
  [119, '119 s'],
  [120, '2 min'],
  [3_600, '1 h'],
  [12_060, '3 h 21 min'],
  [187_200, '2 d 4 h'],
])('given %d seconds, then they are %s', (seconds, expected) => {
  expect(duration(seconds)).toBe(expected);
});

test('given times, ids and numbers, then they read well', () => {
  expect(utc(1_769_151_731_123_456)).toBe('2026-01-23 07:02:11.123Z');
  expect(utc(0)).toBe('');
  expect(shortContainer('a'.repeat(64))).toBe('a'.repeat(12));
  expect(shortContainer('host:node-1')).toBe('host:node-1');
  expect([plural(1, 'record'), plural(2, 'record')]).toEqual(['1 record', '2 records']);
});
