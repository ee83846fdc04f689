import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NameTable } from './name-table.ts';

const CAPACITY = 24;
const names = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 5 });
const steps = fc.array(fc.record({ acquire: fc.boolean(), names }), { maxLength: 200 });

describe('the table of names', () => {
  test('never gives one element to two paths, and gets back all that was given', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const table = new NameTable(CAPACITY);
        const held: { readonly names: readonly string[]; readonly index: number }[] = [];
        for (const step of history) {
          if (step.acquire) {
            const place = table.acquire(step.names);
            if (place) held.push({ names: step.names, index: place.index });
          } else {
            const one = held.pop();
            if (one) table.release(one.names);
          }
          const owners = new Map<number, string>();
          for (const { names, index } of held)
            names.forEach((_, i) => {
              const path = names.join('/');
              expect(index + i).toBeLessThan(CAPACITY);
              expect(owners.get(index + i) ?? path).toBe(path);
              owners.set(index + i, path);
            });
          expect(table.used).toBe(owners.size);
        }
        for (const { names } of held) table.release(names);
        expect(table.used).toBe(0);
        // In one piece again.
        expect(table.acquire(Array.from({ length: CAPACITY }, (_, i) => `n${i}`))).toEqual({
          index: 0,
          fresh: true,
        });
      }),
    );
  });

  test('a table that adopts what another one gave out goes on where that one stood', () => {
    fc.assert(
      fc.property(fc.array(names, { maxLength: 20 }), (paths) => {
        const first = new NameTable(CAPACITY);
        const second = new NameTable(CAPACITY);
        const given = paths.flatMap((path) => {
          const place = first.acquire(path);
          return place ? [{ path, index: place.index }] : [];
        });
        for (const { path, index } of given) expect(second.adopt(path, index)).toBe(true);
        expect(second.used).toBe(first.used);
        for (const { path } of given) second.release(path);
        expect(second.used).toBe(0);
      }),
    );
  });

  test('equal paths share a place until the last has gone', () => {
    const table = new NameTable(4);
    expect(table.acquire(['etc', 'shadow'])).toEqual({ index: 0, fresh: true });
    expect(table.acquire(['etc', 'shadow'])).toEqual({ index: 0, fresh: false });
    table.release(['etc', 'shadow']);
    expect(table.used).toBe(2);
    table.release(['etc', 'shadow']);
    expect(table.used).toBe(0);
  });

  test('what does not fit in a row is refused', () => {
    const table = new NameTable(3);
    table.acquire(['a']);
    table.acquire(['b']);
    table.release(['a']);
    expect(table.acquire(['x', 'y'])).toBeUndefined();
    expect(table.acquire(['x'])).toEqual({ index: 0, fresh: true });
  });

  test('a place that holds another path is not adopted', () => {
    const table = new NameTable(4);
    expect(table.adopt(['a', 'b'], 0)).toBe(true);
    expect(table.adopt(['c'], 1)).toBe(false);
    expect(table.adopt(['a', 'b'], 2)).toBe(false);
  });
});
