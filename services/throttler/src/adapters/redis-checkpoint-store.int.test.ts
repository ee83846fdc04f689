// The checkpoint store against the real Redis; under group names of its own, so that no key is shared.

import { readFileSync } from 'node:fs';

import { testStack, uniqueName } from '@alert-throttle/test-kit';
import { checkpointKey, throttledKey } from '@alert-throttle/throttle';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { CheckpointChange } from '../ports.ts';
import { checkpointStoreContract, loaded } from '../testing/checkpoint-store-contract.ts';
import { CutConnection } from '../testing/cut-connection.ts';
import { OwnRedis } from '../testing/own-redis.ts';
import { RedisCheckpointStore } from './redis-checkpoint-store.ts';

const SECURITY = new URL('../../../../SECURITY.md', import.meta.url);
/** Redis 7.0 words it in another way inside of a script. */
const REFUSED = /^NOPERM|^ERR The user executing the script can't/;
const TOPIC = 'raw';
const P = 3;
const NOTHING: CheckpointChange = { set: [], del: [], throttledSet: [], throttledDel: [] };
const HEAD = { '@offset': '1', '@time': 't', '@digest': 'd' };

let redis: Redis;
let group: string;
let store: RedisCheckpointStore;

function clientOf(url: string): Redis {
  const options = {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    protocol: 2,
  } as const;
  const client = new Redis(url, { ...options, retryStrategy: () => null });
  client.on('error', () => undefined);
  return client;
}

/** The names of all keys of this test's group. */
async function keys(): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, names] = await redis.scan(cursor, 'MATCH', `*${group}*`, 'COUNT', 1000);
    cursor = next;
    found.push(...names);
  } while (cursor !== '0');
  return found.sort();
}

async function throttled(partition: number): Promise<Map<string, number>> {
  const flat = await redis.call('ZRANGE', throttledKey(group, TOPIC, partition), '0', '-1', 'WITHSCORES');
  const list = Array.isArray(flat) ? flat.map(String) : [];
  const found = new Map<string, number>();
  for (let i = 0; i + 1 < list.length; i += 2) found.set(list[i] ?? '', Number(list[i + 1]));
  return found;
}

function fields(count: number): [string, string][] {
  return Array.from({ length: count }, (_, i) => [`default/${'c'.repeat(50)}${i}`, `passed=1 ${i}`]);
}

beforeAll(async () => {
  redis = clientOf(testStack().REDIS_URL);
  await redis.connect();
});
beforeEach(() => {
  group = uniqueName('store');
  store = new RedisCheckpointStore(redis, group, TOPIC);
});
afterEach(async () => {
  const left = await keys();
  if (left.length > 0) await redis.del(...left);
});
afterAll(() => redis.disconnect());

checkpointStoreContract(() => Promise.resolve({ store, throttled }));

describe('a checkpoint in Redis', () => {
  const members: [string, number][] = [['c1', 1.5]];

  it('is two keys, in one slot of a cluster, that never expire; nothing of a build is left behind', async () => {
    await store.replace(P, [{ ...NOTHING, set: fields(5000), throttledSet: members }], HEAD);
    const names = [checkpointKey(group, TOPIC, P), throttledKey(group, TOPIC, P)].sort();
    expect(await keys()).toEqual(names);
    for (const name of names) expect(await redis.ttl(name)).toBe(-1);
    expect(names.map((name) => /\{.*\}/.exec(name)?.[0])).toEqual(Array(2).fill(`{${group}/${TOPIC}/${P}}`));
    await store.replace(P, [NOTHING], HEAD);
    expect(await keys()).toEqual([checkpointKey(group, TOPIC, P)]);
  });

  it('is readable to the microsecond as the ends of intervals go', async () => {
    const end = 1_769_151_731.123456;
    await store.replace(P, [{ ...NOTHING, throttledSet: [['c1', end]] }], HEAD);
    expect(await redis.zscore(throttledKey(group, TOPIC, P), 'c1')).toMatch(/^1769151731\.123456/);
  });

  it('takes a change of as many windows as a partition may have', async () => {
    await store.replace(P, [NOTHING], HEAD);
    const expected = { offset: '1', time: 't', digest: 'd' };
    const change = { ...NOTHING, set: fields(150_000) };
    expect(await store.update(P, expected, change, { ...HEAD, '@offset': '2' })).toBe(true);
    expect(await redis.hlen(checkpointKey(group, TOPIC, P))).toBe(150_003);
    const del = change.set.map(([field]) => field);
    expect(await store.update(P, { ...expected, offset: '2' }, { ...NOTHING, del }, HEAD)).toBe(true);
    expect(await redis.hlen(checkpointKey(group, TOPIC, P))).toBe(3);
  });

  it('stays as it was where a replacement fails, and what was built expires', async () => {
    await store.replace(P, [{ ...NOTHING, set: fields(1), throttledSet: members }], HEAD);
    const broken = { ...NOTHING, set: fields(10), throttledSet: [['c2', Number.NaN]] as [string, number][] };
    await expect(store.replace(P, [broken], { ...HEAD, '@offset': '2' })).rejects.toThrow();
    expect(await loaded(store, P)).toEqual(new Map([...fields(1), ...Object.entries(HEAD)]));
    expect(await throttled(P)).toEqual(new Map(members));
    await expectBuildsToExpire();
  });

  it('is built by many at once, each by itself', async () => {
    const builds = [1, 2, 3, 4].map((n) => {
      const change = {
        ...NOTHING,
        set: fields(3000 * n),
        throttledSet: [[`c${n}`, n]] as [string, number][],
      };
      return store.replace(P, [change], { ...HEAD, '@offset': String(n) });
    });
    await Promise.all(builds);
    const n = Number((await loaded(store, P)).get('@offset'));
    expect(await redis.hlen(checkpointKey(group, TOPIC, P))).toBe(3000 * n + 3);
    expect(await throttled(P)).toEqual(new Map([[`c${n}`, n]]));
    expect(await keys()).toHaveLength(2);
  });

  it('is not loaded, changed or replaced while Redis is away, and every call says so', async () => {
    const away = clientOf('redis://127.0.0.1:1');
    await away.connect().catch(() => undefined);
    const other = new RedisCheckpointStore(away, group, TOPIC);
    expect(other.available).toBe(false);
    await expect(other.load(P)).rejects.toThrow();
    await expect(other.update(P, { offset: '', time: '', digest: '' }, NOTHING, HEAD)).rejects.toThrow();
    await expect(other.replace(P, [NOTHING], HEAD)).rejects.toThrow();
    away.disconnect();
  });

  it('leaves nothing that does not expire where its writer is killed while it builds', async () => {
    const cut = await CutConnection.to(testStack().REDIS_URL);
    try {
      const early = Array.from({ length: 100 }, (_, index) => 1 + 8 * index);
      for (const afterBytes of [...early, 2_000, 60_000, 300_000, 600_000]) {
        const client = clientOf(cut.url);
        await client.connect();
        cut.afterBytes = afterBytes;
        const change = { ...NOTHING, set: fields(10_000), throttledSet: members };
        await expect(
          new RedisCheckpointStore(client, group, TOPIC).replace(P, [change], HEAD),
        ).rejects.toThrow();
        client.disconnect();
      }
      expect(await store.load(P)).toBeUndefined();
      await expectBuildsToExpire();
    } finally {
      await cut.close();
    }
  });
});

async function expectBuildsToExpire(): Promise<void> {
  const builds = (await keys()).filter((name) => name.includes(':next:'));
  expect(builds.length).toBeGreaterThan(0);
  for (const name of builds) expect(await redis.ttl(name), name).toBeGreaterThan(0);
}

describe('a user of Redis with the rights that SECURITY.md gives', () => {
  /** As an operator would type it. */
  const line = /^ *ACL SETUSER throttler (.*)$/m.exec(readFileSync(SECURITY, 'utf8'))?.[1]?.split(' ') ?? [];
  /** All of them but that of asking Redis how it is, without which the client does not know that it still loads. */
  const commands = line.filter((rule) => rule.startsWith('+') && rule !== '+info');
  const filled: CheckpointChange = { ...NOTHING, set: fields(3), throttledSet: [['c1', 1.5]] };
  let own: OwnRedis;

  beforeAll(async () => {
    own = await OwnRedis.start();
  });
  afterAll(() => own.close());

  async function storeWith(rules: readonly string[]): Promise<{ user: Redis; theirs: RedisCheckpointStore }> {
    await own.command('ACL', 'SETUSER', 'throttler', 'reset', ...rules);
    await own.command('ACL', 'LOG', 'RESET');
    const user = clientOf(own.url.replace('//', '//throttler:PASSWORD@'));
    await user.connect();
    return { user, theirs: new RedisCheckpointStore(user, group, TOPIC) };
  }

  /** Everything that a store does: load, replace by a full and by an empty state, and every kind of change. */
  async function useAll(theirs: RedisCheckpointStore): Promise<void> {
    const token = (offset: string): { offset: string; time: string; digest: string } => ({
      offset,
      time: 't',
      digest: 'd',
    });
    await theirs.replace(P, [filled], HEAD);
    await loaded(theirs, P);
    const removed = { ...NOTHING, del: [filled.set[0]?.[0] ?? ''], throttledDel: ['c1'] };
    expect(await theirs.update(P, token('1'), removed, { ...HEAD, '@offset': '2' })).toBe(true);
    expect(await theirs.update(P, token('2'), filled, { ...HEAD, '@offset': '3' })).toBe(true);
    await theirs.replace(P, [NOTHING], HEAD);
  }

  it('may do all that a store does, and is refused nothing on the way', async () => {
    expect(commands.length).toBeGreaterThan(5);
    const { user, theirs } = await storeWith(line);
    await useAll(theirs);
    expect(await own.command('ACL', 'LOG')).toEqual([]);
    user.disconnect();
  });

  it.each(commands)('needs %s', async (command) => {
    const { user, theirs } = await storeWith([...line, command.replace('+', '-')]);
    await expect(useAll(theirs)).rejects.toThrow(REFUSED);
    user.disconnect();
  });

  it.each([
    ['GET', 'other'],
    ['HGETALL', 'other'],
    ['EVAL', "return redis.call('HSET', 'other', 'a', '1')", '0'],
    ['KEYS', '*'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['ACL', 'LIST'],
    ['PUBLISH', 'other', '1'],
  ])('may not %s %s', async (command, ...args) => {
    const { user } = await storeWith(line);
    await expect(user.call(command, ...args)).rejects.toThrow(REFUSED);
    user.disconnect();
  });
});
