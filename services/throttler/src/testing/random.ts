// Random numbers that can be had again: the seed is printed, and can be given.

import { randomInt } from 'node:crypto';

/** The seed from that environment variable, else a new one; said in the test's output. */
export function seedOf(variable: string): number {
  const given = process.env[variable];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  process.stdout.write(`${variable}=${seed}\n`);
  return seed;
}

/** mulberry32: numbers in [0, 1), always the same ones for a seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
