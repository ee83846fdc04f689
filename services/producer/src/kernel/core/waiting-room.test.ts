import { expect, it } from 'vitest';
import { WaitingRoom } from './waiting-room.ts';

function room(capacity = 10): WaitingRoom<string> {
  return new WaitingRoom({ capacity, patienceMs: 100 });
}

it('keeps the order of each container', () => {
  const waiting = room();
  waiting.add(1n, 'a', 0);
  waiting.add(2n, 'b', 0);
  waiting.add(1n, 'c', 0);
  expect(waiting.has(1n)).toBe(true);
  expect(waiting.take(1n)).toEqual(['a', 'c']);
  expect(waiting.has(1n)).toBe(false);
  expect(waiting.take(1n)).toEqual([]);
  expect(waiting.size).toBe(1);
});

it('names whoever has waited too long', () => {
  const waiting = room();
  waiting.add(1n, 'a', 0);
  waiting.add(2n, 'b', 50);
  expect(waiting.overdue(99)).toEqual([]);
  expect(waiting.overdue(100)).toEqual([1n]);
  expect(waiting.overdue(150)).toEqual([1n, 2n]);
});

it('holds no more than it has room for', () => {
  const waiting = room(2);
  for (const [container, item] of [
    [1n, 'a'],
    [2n, 'b'],
    [3n, 'c'],
  ] as const)
    waiting.add(container, item, 0);
  expect(waiting.overdue(0)).toEqual([1n]);
});
