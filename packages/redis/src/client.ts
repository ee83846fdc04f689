// One way to reach Redis: address, user, TLS, and failures told once and in words.
import { readFileSync } from 'node:fs';
import { ConfigError, type ConfigOf, type redisSettings } from '@alert-throttle/config';
import { Redis, type RedisOptions as AllOptions } from 'ioredis';
import { explained, type RedisError } from './errors.ts';

/** What is needed of a logger; pino's is one. */
export interface RedisLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Replies keep ioredis's usual shapes: its types depend on that choice. */
export type RedisOptions = Omit<AllOptions, 'replyMapping'>;

export type RedisConfig = ConfigOf<typeof redisSettings>;

const CONNECT_TIMEOUT_MS = 5_000;
/** A server that takes commands and answers none is as good as away: the connection is given up, and what waits in it. */
const SILENT_SOCKET_MS = 5_000;
/** Longer than that: a large answer may take its time as long as it comes. */
const COMMAND_TIMEOUT_MS = 30_000;
const LONGEST_PAUSE_MS = 5_000;

/** The last failure of a connection: commands only say that there is none. */
const lastFailures = new WeakMap<Redis, Error>();

/**
 * A client that is not connected yet (see connectRedis) and, once it is, comes back by itself. Commands fail at once
 * while it is away: whoever issues them has a log to go on with. A failure is logged when it is a new one.
 */
export function createRedis(config: RedisConfig, logger: RedisLogger, overrides: RedisOptions = {}): Redis {
  const redis = new Redis({ ...redisOptions(config), ...overrides });
  const address = redisAddress(redis);
  let told: string | undefined;
  redis.on('error', (error: Error) => {
    lastFailures.set(redis, error);
    const { message, code } = explained(error, address);
    if (message === told) return;
    told = message;
    logger.warn({ code, redis: address }, message);
  });
  redis.on('ready', () => {
    lastFailures.delete(redis);
    if (told !== undefined) logger.info({ redis: address }, `Redis at ${address} is back`);
    told = undefined;
  });
  return redis;
}

/** Resolves once commands are answered. Throws RedisError where the first attempt fails; further ones go on behind it. */
export async function connectRedis(redis: Redis): Promise<void> {
  try {
    await redis.connect();
  } catch (error) {
    throw redisFailure(redis, error);
  }
}

/** What to tell of a failed command or connection. */
export function redisFailure(redis: Redis, error: unknown): RedisError {
  const why = explained(error, redisAddress(redis));
  const connection = lastFailures.get(redis);
  return why.code === 'REDIS_CLOSED' && connection ? explained(connection, redisAddress(redis)) : why;
}

/** host:port */
export function redisAddress({ options: { host = '127.0.0.1', port = 6379 } }: Redis): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** From the settings; user and password of their own win over those in the URL. Throws ConfigError. */
export function redisOptions(config: RedisConfig): RedisOptions {
  const url = new URL(config.redisUrl);
  const username = config.redisUsername ?? decoded(url.username);
  const password = config.redisPassword ?? decoded(url.password);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    db: database(url),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(url.protocol === 'rediss:' ? { tls: tlsOptions(config) } : {}),
    protocol: 2,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENT_SOCKET_MS,
    retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function database(url: URL): number {
  const path = url.pathname.replace(/^\//, '');
  if (/^\d{0,5}$/.test(path)) return Number(path);
  const message = `REDIS_URL: what follows the port must be the number of a database, got "${path}"`;
  throw new ConfigError([{ source: 'settings', key: 'REDIS_URL', message }]);
}

function tlsOptions({ redisTlsCaFile: path }: RedisConfig): { ca?: string } {
  if (path === undefined) return {};
  try {
    return { ca: readFileSync(path, 'utf8') };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `REDIS_TLS_CA_FILE: ${reason}`;
    throw new ConfigError([{ source: path, key: 'REDIS_TLS_CA_FILE', message }], { cause: error });
  }
}
