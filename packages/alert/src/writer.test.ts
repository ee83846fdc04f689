import { describe, expect, it } from 'vitest';
import { makeAlert } from './alert.ts';
import { createReader } from './reader.ts';
import { alertType } from './schemas.ts';
import { schemaIdOf } from './wire.ts';
import { AlertWriter } from './writer.ts';

const reader = createReader(alertType);

describe('the writer', () => {
  it("writes Confluent's wire format", () => {
    const value = new AlertWriter(0x01020304).encode(makeAlert());
    expect([...value.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4]);
    expect(schemaIdOf(value)).toBe(0x01020304);
    expect(value.subarray(5)).toEqual(alertType.toBuffer(makeAlert()));
  });

  it('writes alerts of any size, and a small one after a large one', () => {
    const writer = new AlertWriter(1);
    const large = makeAlert({ Message: 'x'.repeat(100_000), Data: 'y'.repeat(1_000_000) });
    const first = writer.encode(large);
    const second = writer.encode(makeAlert({ Message: 'small' }));
    expect(reader.decode(first)).toEqual(large);
    expect(reader.decode(second)).toEqual(makeAlert({ Message: 'small' }));
  });

  it.each([
    ['short', 'a\ud800b'],
    ['at the end', 'a\ud83d'],
    ['the second half alone', '\udd12a'],
    ['long', `${'z'.repeat(200)}\ud800`],
  ])('makes text well-formed: half of a surrogate pair, %s', (_, text) => {
    const alert = makeAlert({
      Message: text,
      ATags: [text],
      EventData: { [text]: text },
      Owner: { Ref: text, Name: '', Namespace: '' },
    });
    const good = text.toWellFormed();
    expect(reader.decode(new AlertWriter(1).encode(alert))).toEqual(
      makeAlert({
        Message: good,
        ATags: [good],
        EventData: { [good]: good },
        Owner: { Ref: good, Name: '', Namespace: '' },
      }),
    );
  });

  it('keeps text that only looks like half a pair in bytes', () => {
    const alert = makeAlert({ Message: '한국어 \ud7ff\ue000 🔒', EventData: { __proto__x: '퟿' } });
    expect(reader.decode(new AlertWriter(1).encode(alert))).toEqual(alert);
  });

  it('throws for what the schema forbids', () => {
    expect(() => new AlertWriter(1).encode(makeAlert({ PPID: 2 ** 31 }))).toThrow();
    expect(() => new AlertWriter(1).encode(makeAlert({ Sequence: 2 ** 53 }))).toThrow();
  });
});
