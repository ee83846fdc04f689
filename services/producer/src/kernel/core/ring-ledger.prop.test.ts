import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RingLedger } from './ring-ledger.ts';

const LIFE = 'boot-1';

/** A ring of several CPUs: numbers 1, 2, 3 ..., of which each may come some places later, and some never. */
const ring = fc
  .array(fc.record({ delay: fc.nat(6), isLost: fc.boolean() }), { minLength: 1, maxLength: 60 })
  .map((events) =>
    events
      .map(({ delay, isLost }, index) => ({ number: index + 1, at: index + delay, isLost }))
      .filter(({ isLost }) => !isLost)
      .sort((a, b) => a.at - b.at)
      .map(({ number }) => number),
  );

it('whatever order events come in, and wherever the producer is killed, each becomes one record', () => {
  fc.assert(
    fc.property(ring, fc.nat(60), fc.nat(60), (numbers, seen, stored) => {
      const records: number[] = [];
      const states: string[] = [];
      const first = new RingLedger(LIFE, { stored: undefined, numbers: { enforcement: 0, audit: 0 } });
      // Each record is stored with the marks that were when it was made, some time later.
      const made: { readonly number: number; readonly marks: RingLedger['marks'] }[] = [];
      for (const number of numbers.slice(0, seen)) {
        expect(first.missing('audit', number)).toEqual([]);
        if (first.admit('audit', number) === undefined) continue;
        made.push({ number, marks: first.marks });
        first.queued('audit', number, made.length);
      }
      for (const [index, { number, marks }] of made.slice(0, stored).entries()) {
        states.push(first.stateAt(index + 1, marks));
        records.push(number);
        first.stored(index + 1);
      }
      const second = new RingLedger(LIFE, {
        stored: states.at(-1),
        numbers: { enforcement: 0, audit: states.length === 0 ? 0 : 60 },
      });
      // The ring hands out again what was not released, at worst all of it.
      for (const number of numbers) {
        expect(second.missing('audit', number)).toEqual([]);
        if (second.admit('audit', number) !== undefined) records.push(number);
      }
      expect(records.toSorted((a, b) => a - b)).toEqual(numbers.toSorted((a, b) => a - b));
    }),
  );
});
