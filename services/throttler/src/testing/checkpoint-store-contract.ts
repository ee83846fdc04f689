// What every checkpoint store must do: the in-memory one of the unit tests, and the one in Redis.

import { beforeEach, describe, expect, it } from 'vitest';

import type { CheckpointChange, CheckpointStore, CheckpointToken } from '../ports.ts';

export interface StoreUnderTest {
  readonly store: CheckpointStore;
  /** The containers that are listed as throttled, with the ends of their intervals. */
  throttled(partition: number): Promise<ReadonlyMap<string, number>>;
}

type Head = Record<string, string>;

const NOTHING: CheckpointChange = { set: [], del: [], throttledSet: [], throttledDel: [] };
const P = 3;

function head(offset: number, more: Head = {}): Head {
  return { '@offset': String(offset), '@time': `t${offset}`, '@digest': `d${offset}`, ...more };
}

function token(offset: number, more: Partial<CheckpointToken> = {}): CheckpointToken {
  return { offset: String(offset), time: `t${offset}`, digest: `d${offset}`, ...more };
}

function fields(count: number, value = 'passed=1'): [string, string][] {
  return Array.from({ length: count }, (_, i) => [`default/c${i}`, `${value} ${i}`]);
}

function members(count: number): [string, number][] {
  return Array.from({ length: count }, (_, i) => [`c${i}`, 1_769_151_731.123456 + i]);
}

/** All that is stored, read to the end; empty where there is nothing. */
export async function loaded(store: CheckpointStore, partition: number): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  const stored = await store.load(partition);
  if (stored === undefined) return fields;
  for await (const slice of stored.slices()) for (const [field, value] of slice) fields.set(field, value);
  return fields;
}

/** `open` makes a store over nothing; it is called before each test. */
export function checkpointStoreContract(open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let store: CheckpointStore;

  beforeEach(async () => {
    under = await open();
    ({ store } = under);
  });

  describe('a checkpoint store', () => {
    it('is available, and holds nothing at first', async () => {
      expect(store.available).toBe(true);
      expect(await store.load(P)).toBeUndefined();
    });

    it.each([0, 1, 10_000])('holds what it was given: %i fields', async (count) => {
      const change = { ...NOTHING, set: fields(count), throttledSet: members(count) };
      await store.replace(P, [change], head(1));
      expect(await loaded(store, P)).toEqual(new Map([...fields(count), ...Object.entries(head(1))]));
      expect(await under.throttled(P)).toEqual(new Map(members(count)));
    });

    it.each([0, 1, 10_000])('takes a change of %i fields', async (count) => {
      await store.replace(P, [{ ...NOTHING, set: [['default/kept', 'k']] }], head(1));
      const change = { ...NOTHING, set: fields(count), throttledSet: members(count) };
      expect(await store.update(P, token(1), change, head(2))).toBe(true);
      expect(await loaded(store, P)).toEqual(
        new Map([['default/kept', 'k'], ...fields(count), ...Object.entries(head(2))]),
      );
      expect(await under.throttled(P)).toEqual(new Map(members(count)));
      const deleted = {
        ...NOTHING,
        del: fields(count).map(([f]) => f),
        throttledDel: members(count).map(([m]) => m),
      };
      expect(await store.update(P, token(2), deleted, head(3))).toBe(true);
      expect(await loaded(store, P)).toEqual(new Map([['default/kept', 'k'], ...Object.entries(head(3))]));
      expect(await under.throttled(P)).toEqual(new Map());
    });

    it('sets, deletes, lists and unlists in one change', async () => {
      await store.replace(
        P,
        [{ ...NOTHING, set: fields(3), throttledSet: members(3) }],
        head(1, { '@updated': 'u1' }),
      );
      const change: CheckpointChange = {
        set: [['default/c1', 'other']],
        del: ['default/c2', 'default/never'],
        throttledSet: [['c1', 5.5]],
        throttledDel: ['c0', 'never'],
      };
      expect(await store.update(P, token(1), change, head(2))).toBe(true);
      expect(await loaded(store, P)).toEqual(
        new Map([
          ['default/c0', 'passed=1 0'],
          ['default/c1', 'other'],
          ['@updated', 'u1'],
          ...Object.entries(head(2)),
        ]),
      );
      expect(await under.throttled(P)).toEqual(
        new Map([
          ['c1', 5.5],
          ['c2', 1_769_151_733.123456],
        ]),
      );
    });

    it('keeps names and values as they are, whatever is in them', async () => {
      const strange = [
        'default/Größe 名前 🔒',
        'default/\u0000\r\n*3',
        'default/',
        '@sequence/n%2F1/b',
        'default/-inf',
      ];
      const set = strange.map((name): [string, string] => [name, `${name}\u0000"{}[]`]);
      const throttledSet = strange.map((name, i): [string, number] => [name, i]);
      await store.replace(P, [{ ...NOTHING, set, throttledSet }], head(1));
      expect(await loaded(store, P)).toEqual(new Map([...set, ...Object.entries(head(1))]));
      expect(await under.throttled(P)).toEqual(new Map(throttledSet));
      const change = { ...NOTHING, set: set.slice(1), throttledSet: throttledSet.slice(1) };
      expect(await store.update(P, token(1), { ...change, del: ['default/Größe 名前 🔒'] }, head(2))).toBe(
        true,
      );
      expect(await loaded(store, P)).toEqual(new Map([...set.slice(1), ...Object.entries(head(2))]));
    });

    it.each([
      ['offset', token(1, { offset: '2' })],
      ['time', token(1, { time: 't2' })],
      ['digest', token(1, { digest: 'd2' })],
    ])('refuses a change to another state and writes nothing of it: %s', async (_, expected) => {
      await store.replace(P, [{ ...NOTHING, set: fields(2), throttledSet: members(1) }], head(1));
      const change: CheckpointChange = {
        set: [['default/c0', 'other']],
        del: ['default/c1'],
        throttledSet: [['c9', 1]],
        throttledDel: ['c0'],
      };
      expect(await store.update(P, expected, change, head(2))).toBe(false);
      expect(await loaded(store, P)).toEqual(new Map([...fields(2), ...Object.entries(head(1))]));
      expect(await under.throttled(P)).toEqual(new Map(members(1)));
    });

    it('refuses a change where there is nothing', async () => {
      expect(await store.update(P, token(1), { ...NOTHING, set: fields(1) }, head(2))).toBe(false);
      expect(await store.load(P)).toBeUndefined();
    });

    it('takes one of two changes to the same state', async () => {
      await store.replace(P, [NOTHING], head(1));
      const [a, b] = await Promise.all([
        store.update(P, token(1), { ...NOTHING, set: [['default/a', '']] }, head(2)),
        store.update(P, token(1), { ...NOTHING, set: [['default/b', '']] }, head(3)),
      ]);
      expect([a, b].filter(Boolean)).toHaveLength(1);
      const name = a ? 'default/a' : 'default/b';
      expect(await loaded(store, P)).toEqual(new Map([[name, ''], ...Object.entries(head(a ? 2 : 3))]));
    });

    it('replaces all that was there', async () => {
      await store.replace(
        P,
        [
          { ...NOTHING, set: fields(60), throttledSet: members(30) },
          NOTHING,
          { ...NOTHING, set: fields(100).slice(60), throttledSet: members(100).slice(30) },
        ],
        head(1, { '@old': 'x' }),
      );
      await store.replace(P, [{ ...NOTHING, set: fields(2, 'new'), throttledSet: members(1) }], head(2));
      expect(await loaded(store, P)).toEqual(new Map([...fields(2, 'new'), ...Object.entries(head(2))]));
      expect(await under.throttled(P)).toEqual(new Map(members(1)));
      await store.replace(P, [NOTHING], head(3));
      expect(await loaded(store, P)).toEqual(new Map(Object.entries(head(3))));
      expect(await under.throttled(P)).toEqual(new Map());
    });

    it('goes on by changes after a replacement, and by a replacement after a refusal', async () => {
      await store.replace(P, [NOTHING], head(1));
      await store.replace(P, [NOTHING], head(5));
      expect(await store.update(P, token(1), { ...NOTHING, set: fields(1) }, head(2))).toBe(false);
      expect(await store.update(P, token(5), { ...NOTHING, set: fields(1) }, head(6))).toBe(true);
      expect(await loaded(store, P)).toEqual(new Map([...fields(1), ...Object.entries(head(6))]));
    });

    it('keeps partitions apart', async () => {
      await store.replace(P, [{ ...NOTHING, set: fields(1), throttledSet: members(1) }], head(1));
      await store.replace(P + 1, [{ ...NOTHING, set: fields(2) }], head(1));
      await store.update(P + 1, token(1), { ...NOTHING, del: ['default/c0'] }, head(2));
      expect(await loaded(store, P)).toEqual(new Map([...fields(1), ...Object.entries(head(1))]));
      expect(await under.throttled(P)).toEqual(new Map(members(1)));
      expect(await under.throttled(P + 1)).toEqual(new Map());
    });
  });
}
