import { expect, it } from 'vitest';
import { parseLines } from './lines.ts';

it('tells reports from what is none', () => {
  const text =
    '{"scenario":"a","name":"b","data":{"c":1}}\r\n\n{"scenario":"a","name":"cut of\n{"name":"no tag","data":{}}\n';
  expect(parseLines(text)).toEqual({
    lines: [{ scenario: 'a', name: 'b', data: { c: 1 } }],
    bad: ['{"scenario":"a","name":"cut of', '{"name":"no tag","data":{}}'],
  });
});
