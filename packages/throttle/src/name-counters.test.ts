import { expect, it } from 'vitest';
import { NameCounters } from './name-counters.ts';

function counted(...names: readonly string[]): [string, number][] {
  const counters = new NameCounters();
  for (const name of names) counters.add(name);
  return counters.toList().map(({ Name, Alerts }) => [Name, Alerts]);
}

const sixteen = Array.from({ length: 16 }, (_, i) => `n${String(i).padStart(2, '0')}`);

it('lists the largest first, equal ones by name', () => {
  expect(counted('b', 'c', 'a', 'c')).toEqual([
    ['c', 2],
    ['a', 1],
    ['b', 1],
  ]);
});

it('counts the first 16 names, and all later ones as other', () => {
  const list = counted(...sixteen, 'late', 'later', 'n03', 'late');
  expect(list).toHaveLength(17);
  expect(list.slice(0, 2)).toEqual([
    ['other', 3],
    ['n03', 2],
  ]);
});

it('puts other behind the names of its size', () => {
  expect(counted(...sixteen, 'late').at(-1)).toEqual(['other', 1]);
  expect(counted(...sixteen, 'late', 'n05', 'n06', 'late').slice(0, 4)).toEqual([
    ['n05', 2],
    ['n06', 2],
    ['other', 2],
    ['n00', 1],
  ]);
});

it('counts names that mean something to an object', () => {
  expect(counted('__proto__', 'constructor', '__proto__')).toEqual([
    ['__proto__', 2],
    ['constructor', 1],
  ]);
});
