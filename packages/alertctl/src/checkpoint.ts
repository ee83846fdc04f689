// Reads the throttler's checkpoint in Redis: the windows of each partition, and how old what it says is.
import {
  CheckpointFormatError,
  checkpointKey,
  DEFAULT_PROFILE,
  parseWindowField,
  throttledKey,
  type WindowField,
} from '@alert-throttle/throttle';
import type { Redis } from 'ioredis';

export interface Checkpoint {
  readonly partition: number;
  /** The offset that the state stands for. */
  readonly offset: number | undefined;
  /** When the throttler wrote it. */
  readonly updatedAtMs: number | undefined;
  /** Fields `@offset`, `@time`, ... as they stand there, without the `@`. */
  readonly head: Readonly<Record<string, string>>;
  /** Containers with an open interval, all of them. */
  readonly throttledCount: number;
  /** The windows that were read: those with an open interval first. */
  readonly windows: readonly WindowField[];
  /** Windows that were left out since there are too many. */
  readonly leftOut: number;
  /** Fields that cannot be read. */
  readonly unreadable: readonly string[];
}

export interface ReadOptions {
  /** Also windows without an open interval. */
  readonly all: boolean;
  /** At most so many windows of one partition. */
  readonly limit: number;
}

const HEAD_FIELDS = ['@offset', '@time', '@limits', '@version', '@digest', '@updated'] as const;
const PAGE = 1_000;

/** The partitions that have a checkpoint, found by looking through the keys of Redis: for when Kafka cannot tell. */
export async function partitionsInRedis(redis: Redis, group: string, topic: string): Promise<number[]> {
  const prefix = `throttle:{${group}/${topic}/`;
  const partitions = new Set<number>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${globEscaped(prefix)}*`, 'COUNT', PAGE);
    cursor = next;
    for (const key of keys) {
      const partition = /^(\d{1,9})\}/.exec(key.slice(prefix.length))?.[1];
      if (partition !== undefined) partitions.add(Number(partition));
    }
  } while (cursor !== '0');
  return [...partitions].sort((left, right) => left - right);
}

function globEscaped(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}

/** `undefined`: there is no checkpoint of this partition. */
export async function readCheckpoint(
  redis: Redis,
  group: string,
  topic: string,
  partition: number,
  options: ReadOptions,
): Promise<Checkpoint | undefined> {
  const key = checkpointKey(group, topic, partition);
  // Together, so that head and list are of one flush.
  const [headReply, countReply, listReply] = await transaction(
    redis
      .multi()
      .hmget(key, ...HEAD_FIELDS)
      .zcard(throttledKey(group, topic, partition))
      .zrange(throttledKey(group, topic, partition), '0', String(options.limit - 1))
      .exec(),
  );
  const head = headOf(headReply as (string | null)[]);
  if (Object.keys(head).length === 0) return undefined;
  const collected = new Collected(options.limit);
  await throttledWindows(redis, key, listReply as string[], collected);
  if (options.all) await otherWindows(redis, key, collected);
  const throttledCount = Number(countReply);
  const throttledLeftOut = options.all ? 0 : Math.max(0, throttledCount - options.limit);
  return {
    partition,
    offset: head['offset'] === undefined ? undefined : Number(head['offset']),
    updatedAtMs: head['updated'] === undefined ? undefined : Date.parse(head['updated']),
    head,
    throttledCount,
    windows: collected.windows,
    leftOut: collected.leftOut + throttledLeftOut,
    unreadable: collected.unreadable,
  };
}

function headOf(values: readonly (string | null)[]): Record<string, string> {
  const head: Record<string, string> = {};
  for (const [index, name] of HEAD_FIELDS.entries()) {
    const value = values[index];
    if (typeof value === 'string') head[name.slice(1)] = value;
  }
  return head;
}

async function transaction(running: Promise<[Error | null, unknown][] | null>): Promise<unknown[]> {
  const replies = (await running) ?? [];
  return replies.map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

/** Collects windows up to a limit, each once. */
class Collected {
  readonly windows: WindowField[] = [];
  readonly unreadable: string[] = [];
  leftOut = 0;
  readonly #limit: number;
  readonly #seen = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(field: string, value: string): void {
    if (field.startsWith('@') || this.#seen.has(field)) return;
    if (this.windows.length >= this.#limit) {
      this.leftOut++;
      return;
    }
    this.#seen.add(field);
    try {
      const window = parseWindowField(field, value);
      if (window) this.windows.push(window);
    } catch (error) {
      if (!(error instanceof CheckpointFormatError)) throw error;
      this.unreadable.push(error.message);
    }
  }
}

async function throttledWindows(
  redis: Redis,
  key: string,
  containers: readonly string[],
  into: Collected,
): Promise<void> {
  for (let at = 0; at < containers.length; at += PAGE) {
    const fields = containers.slice(at, at + PAGE).map((container) => `${DEFAULT_PROFILE}/${container}`);
    const values = await redis.hmget(key, ...fields);
    for (const [index, field] of fields.entries()) {
      const value = values[index];
      // Gone: reported and forgotten between the two reads.
      if (typeof value === 'string') into.add(field, value);
    }
  }
}

async function otherWindows(redis: Redis, key: string, into: Collected): Promise<void> {
  let cursor = '0';
  do {
    const [next, entries] = await redis.hscan(key, cursor, 'COUNT', PAGE);
    cursor = next;
    for (let at = 0; at + 1 < entries.length; at += 2) into.add(entries[at] ?? '', entries[at + 1] ?? '');
  } while (cursor !== '0');
}
