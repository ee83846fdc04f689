// What a command works with: settings, clients with the short patience of a tool, and where it writes.
import { loadConfig, type Environment } from '@alert-throttle/config';
import {
  createKafka,
  kafkaFailure,
  kafkaOptions,
  type AlertKafka,
  type KafkaLogger,
} from '@alert-throttle/kafka';
import { createLogger } from '@alert-throttle/observability';
import { connectRedis, createRedis, redisFailure } from '@alert-throttle/redis';
import type { Admin } from 'kafkajs';
import type { Redis } from 'ioredis';
import { settings, type AlertctlConfig } from './config.ts';
import { CommandError } from './errors.ts';
import type { Output } from './output.ts';

export interface GlobalOptions {
  readonly config?: string;
  readonly verbose?: boolean;
}

export interface Session {
  readonly config: AlertctlConfig;
  readonly logger: KafkaLogger;
  readonly out: Output;
  /** Remarks: on standard error, so that they are not in what is piped on. */
  readonly remark: (text: string) => void;
  /** Aborted when the command shall end: Ctrl-C, SIGTERM, nobody reads any more. */
  readonly ended: AbortSignal;
}

const SILENT: KafkaLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Throws ConfigError. Keys of the file that only a service knows are left alone. */
export function openSession(
  options: GlobalOptions,
  env: Environment,
  io: Pick<Session, 'out' | 'remark' | 'ended'>,
): Session {
  const config = loadConfig(settings, { env, file: options.config, unknownKeys: 'ignore' });
  const logger =
    options.verbose === true
      ? createLogger({ service: 'alertctl', level: 'debug', format: 'pretty', destination: process.stderr })
      : SILENT;
  return { ...io, config, logger };
}

const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
const RETRY = { retries: 1, initialRetryTime: 200 };

export function kafkaOf({ config, logger }: Session, clientId = 'alertctl'): AlertKafka {
  const options = kafkaOptions(config, clientId);
  const patience = {
    connectionTimeoutMs: CONNECTION_TIMEOUT_MS,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    retry: RETRY,
  };
  return createKafka({ ...options, ...patience }, logger);
}

/** Throws KafkaError, and CommandError as it comes. */
export async function withAdmin<T>(session: Session, use: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = kafkaOf(session);
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await use(admin);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw kafkaFailure(error, kafka.brokers);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** Throws RedisError. */
export async function withRedis<T>(session: Session, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = createRedis(session.config, session.logger, { retryStrategy: () => null });
  try {
    await connectRedis(redis);
    return await use(redis);
  } catch (error) {
    throw redisFailure(redis, error);
  } finally {
    redis.disconnect();
  }
}
