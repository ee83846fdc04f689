import type { IHeaders } from 'kafkajs';
import { describe, expect, it } from 'vitest';

import { writableHeaders } from './headers.ts';

/** As kafkajs reads them: its types leave out what Java clients may send. */
function read(headers: Record<string, unknown>): IHeaders {
  return headers as IHeaders;
}

describe('writableHeaders', () => {
  it('gives nothing for no headers', () => {
    expect(writableHeaders(undefined)).toBeUndefined();
    expect(writableHeaders({})).toBeUndefined();
  });

  it('keeps values, and turns null into an empty one', () => {
    const trace = Buffer.from('1');
    expect(writableHeaders(read({ trace, empty: null, many: [trace, null] }))).toEqual({
      trace,
      empty: Buffer.alloc(0),
      many: [trace, Buffer.alloc(0)],
    });
  });

  it('drops what is a property of every object', () => {
    const value = Buffer.from('x');
    expect(writableHeaders(read({ constructor: [Object, value] }))).toEqual({ constructor: value });
  });
});
