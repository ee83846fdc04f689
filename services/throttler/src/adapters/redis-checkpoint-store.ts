// Checkpoints in Redis: one hash per partition (windows and `@` fields, so that state and offset live and die
// together) and one sorted set of the containers that are throttled now. Layout: README.md, "Looking into Redis".

import { randomUUID } from 'node:crypto';

import { checkpointKey, throttledKey } from '@alert-throttle/throttle';
import type { ChainableCommander, Redis } from 'ioredis';

import type { CheckpointChange, CheckpointFields, CheckpointStore, CheckpointToken } from '../ports.ts';

/** Lua's `unpack` fails above about 7 900 values; pieces of this many are well below it. */
const UNPACK = 4000;
/** Fields per HSET while a full replacement is built; one reply is awaited for all of them. */
const REPLACE_CHUNK = 2000;
const BUILD_EXPIRES_SEC = 300;

/**
 * KEYS: hash, sorted set. ARGV: expected @offset, @time, @digest; then how many values each of the four lists
 * has; then the lists: HSET field value ..., HDEL field ..., ZADD score member ..., ZREM member ...
 * Writes nothing and returns 0 unless the stored state is the expected one.
 */
const UPDATE = `
local stored = redis.call('HMGET', KEYS[1], '@offset', '@time', '@digest')
for i = 1, 3 do if (stored[i] or '') ~= ARGV[i] then return 0 end end
local at = 8
local commands = {{'HSET', KEYS[1], ARGV[4]}, {'HDEL', KEYS[1], ARGV[5]}, {'ZADD', KEYS[2], ARGV[6]}, {'ZREM', KEYS[2], ARGV[7]}}
for _, command in ipairs(commands) do
  local last = at + tonumber(command[3]) - 1
  while at <= last do
    local to = math.min(at + ${UNPACK} - 1, last)
    redis.call(command[1], command[2], unpack(ARGV, at, to))
    at = to + 1
  end
end
return 1`;

/** KEYS: new hash, hash, new sorted set, sorted set. */
const SWAP = `
for i = 1, 3, 2 do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('RENAME', KEYS[i], KEYS[i + 1])
    redis.call('PERSIST', KEYS[i + 1])
  else
    redis.call('DEL', KEYS[i + 1])
  end
end
return 1`;

export class RedisCheckpointStore implements CheckpointStore {
  readonly #redis: Redis;
  readonly #group: string;
  readonly #topic: string;

  constructor(redis: Redis, group: string, rawTopic: string) {
    this.#redis = redis;
    this.#group = group;
    this.#topic = rawTopic;
  }

  get available(): boolean {
    return this.#redis.status === 'ready';
  }

  async load(partition: number): Promise<CheckpointFields | undefined> {
    const flat = await this.#redis.call('HGETALL', checkpointKey(this.#group, this.#topic, partition));
    const fields = new Map<string, string>();
    if (Array.isArray(flat)) {
      for (let i = 0; i + 1 < flat.length; i += 2) fields.set(String(flat[i]), String(flat[i + 1]));
    }
    return fields.size === 0 ? undefined : fields;
  }

  async update(
    partition: number,
    expect: CheckpointToken,
    change: CheckpointChange,
    head: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    const lists = [
      [...Object.entries(head), ...change.set].flat(),
      [...change.del],
      change.throttledSet.flatMap(([member, end]) => [String(end), member]),
      [...change.throttledDel],
    ];
    const args = [expect.offset, expect.time, expect.digest, ...lists.map((list) => String(list.length))];
    for (const list of lists) for (const value of list) args.push(value);
    const { hash, set } = this.#keys(partition);
    // In an array: a call with as many arguments as a large partition has windows overflows the stack.
    return (await this.#redis.call('EVAL', [UPDATE, '2', hash, set, ...args])) === 1;
  }

  async replace(
    partition: number,
    change: CheckpointChange,
    head: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { hash, set } = this.#keys(partition);
    // A name of its own, so that two owners never build in one place; what a killed one leaves expires.
    const build = randomUUID();
    const next = { hash: `${hash}:next:${build}`, set: `${set}:next:${build}` };
    const pipeline = this.#redis.pipeline();
    // It expires before it is large: a writer that is killed on the way has not sent the rest.
    pipeline.hset(next.hash, head).expire(next.hash, BUILD_EXPIRES_SEC);
    for (let i = 0; i < change.set.length; i += REPLACE_CHUNK) {
      pipeline.hset(next.hash, ...change.set.slice(i, i + REPLACE_CHUNK).flat());
    }
    const [first] = change.throttledSet;
    if (first !== undefined) pipeline.zadd(next.set, first[1], first[0]).expire(next.set, BUILD_EXPIRES_SEC);
    for (let i = 0; i < change.throttledSet.length; i += REPLACE_CHUNK) {
      const members = change.throttledSet.slice(i, i + REPLACE_CHUNK);
      pipeline.zadd(next.set, ...members.flatMap(([member, end]) => [end, member]));
    }
    await execute(pipeline);
    await this.#redis.eval(SWAP, 4, next.hash, hash, next.set, set);
  }

  #keys(partition: number): { hash: string; set: string } {
    return {
      hash: checkpointKey(this.#group, this.#topic, partition),
      set: throttledKey(this.#group, this.#topic, partition),
    };
  }
}

async function execute(pipeline: ChainableCommander): Promise<void> {
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}
