// Checkpoints in Redis: one hash per partition (windows and `@` fields, so that state and offset live and die
// together) and one sorted set of the containers that are throttled now. Layout: README.md, "Looking into Redis".

import { randomUUID } from 'node:crypto';

import { checkpointKey, throttledKey } from '@alert-throttle/throttle';
import type { ChainableCommander, Redis } from 'ioredis';

import type {
  CheckpointChange,
  CheckpointField,
  CheckpointStore,
  CheckpointToken,
  StoredCheckpoint,
} from '../ports.ts';

/** Lua's `unpack` fails above about 7 900 values; pieces of this many are well below it. */
const UNPACK = 4000;
/** Fields per HSET while a full replacement is built; one reply is awaited for all of a slice. */
const REPLACE_CHUNK = 2000;
/** Fields per HSCAN: some milliseconds for Redis, and for us. */
const SCAN_COUNT = 2000;
const HEAD = ['@offset', '@time', '@digest', '@version'] as const;
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

/** KEYS: new hash, hash, new sorted set, sorted set. ARGV: fields of the new hash; 0 where it has not all of them. */
const SWAP = `
if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
for i = 1, 3, 2 do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('RENAME', KEYS[i], KEYS[i + 1])
    redis.call('PERSIST', KEYS[i + 1])
  else
    redis.call('DEL', KEYS[i + 1])
  end
end
return 1`;

/**
 * KEYS: a key. ARGV: in how many seconds it expires, the command, its arguments. In one step: of a connection that is cut
 * between two, Redis would have a key that stays for ever.
 */
const BEGIN = `
redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
return redis.call('EXPIRE', KEYS[1], ARGV[1])`;

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

  async load(partition: number): Promise<StoredCheckpoint | undefined> {
    const { hash } = this.#keys(partition);
    const head = await this.#head(hash);
    if (head.size === 0) return undefined;
    return {
      head,
      slices: () => this.#scan(hash),
      unchanged: async () => {
        const now = await this.#head(hash);
        return HEAD.every((field) => now.get(field) === head.get(field));
      },
    };
  }

  async #head(hash: string): Promise<Map<string, string>> {
    const values = await this.#redis.hmget(hash, ...HEAD);
    const head = new Map<string, string>();
    for (const [i, field] of HEAD.entries()) {
      const value = values[i];
      if (typeof value === 'string') head.set(field, value);
    }
    return head;
  }

  /** The next slice is on its way while one is worked on. */
  async *#scan(hash: string): AsyncGenerator<CheckpointField[]> {
    const from = (cursor: string): Promise<[string, string[]]> =>
      this.#redis.hscan(hash, cursor, 'COUNT', SCAN_COUNT);
    let coming = from('0');
    for (;;) {
      const [cursor, flat] = await coming;
      if (cursor !== '0') {
        coming = from(cursor);
        // Whoever stops asking for slices is not told of what fails then.
        coming.catch(() => undefined);
      }
      const fields: CheckpointField[] = [];
      for (let i = 0; i + 1 < flat.length; i += 2) fields.push([flat[i] ?? '', flat[i + 1] ?? '']);
      yield fields;
      if (cursor === '0') return;
    }
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
    slices: Iterable<CheckpointChange>,
    head: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { hash, set } = this.#keys(partition);
    // A name of its own, so that two owners never build in one place; what a killed one leaves expires.
    const build = randomUUID();
    const next = { hash: `${hash}:next:${build}`, set: `${set}:next:${build}` };
    const begin = (pipeline: ChainableCommander, key: string, ...command: string[]): ChainableCommander =>
      pipeline.eval(BEGIN, 1, key, BUILD_EXPIRES_SEC, ...command);
    await execute(begin(this.#redis.pipeline(), next.hash, 'HSET', ...Object.entries(head).flat()));
    let fields = Object.keys(head).length;
    for (const slice of slices) {
      fields += slice.set.length;
      const pipeline = this.#redis.pipeline();
      for (let i = 0; i < slice.set.length; i += REPLACE_CHUNK) {
        pipeline.hset(next.hash, ...slice.set.slice(i, i + REPLACE_CHUNK).flat());
      }
      const [first] = slice.throttledSet;
      if (first !== undefined) begin(pipeline, next.set, 'ZADD', String(first[1]), first[0]);
      for (let i = 0; i < slice.throttledSet.length; i += REPLACE_CHUNK) {
        const members = slice.throttledSet.slice(i, i + REPLACE_CHUNK);
        pipeline.zadd(next.set, ...members.flatMap(([member, end]) => [end, member]));
      }
      await execute(pipeline.expire(next.hash, BUILD_EXPIRES_SEC));
    }
    if ((await this.#redis.eval(SWAP, 4, next.hash, hash, next.set, set, fields)) !== 1) {
      throw new Error('what was built beside the checkpoint vanished on the way');
    }
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
