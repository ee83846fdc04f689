// Puts the throttler together and runs it until it is told to stop or cannot go on.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

import { AlertCodec } from '@alert-throttle/alert';
import {
  type Environment,
  EXIT_CONFIG,
  loadConfig,
  registryOptions,
  watchConfig,
} from '@alert-throttle/config';
import {
  abortHanging,
  COMPRESSION_TYPES,
  createKafka,
  kafkaFailure,
  kafkaOptions,
  type AlertKafka,
  topicNames,
} from '@alert-throttle/kafka';
import { type Logger, startHttp } from '@alert-throttle/observability';
import { connectRedis, createRedis } from '@alert-throttle/redis';
import type { Limits } from '@alert-throttle/throttle';

import { KafkaGroup } from './adapters/kafka-group.ts';
import { KafkaLogFacts } from './adapters/kafka-log-facts.ts';
import { KafkaTransactions } from './adapters/kafka-transactions.ts';
import { RedisCheckpointStore } from './adapters/redis-checkpoint-store.ts';
import { SchemaDirectory } from './adapters/schema-directory.ts';
import { throttlerSettings } from './config.ts';
import { type Interposed, NOTHING_INTERPOSED } from './interposed.ts';
import { ThrottlerMetrics } from './metrics.ts';
import { PartitionOwner } from './partition-owner.ts';
import type { MonotonicClock } from './ports.ts';
import { Throttler } from './throttler.ts';

const USUAL_HTTP_PORT = 9464;
const TRANSACTION_TIMEOUT_MS = 10_000;
/** A commit that takes longer than its transaction may last is none any more. */
const COMMIT_TIMEOUT_MS = TRANSACTION_TIMEOUT_MS + 5000;
const WAIT_RETRY_MS = 2000;
const WATCHDOG_MS = 1000;
/** How long the start waits for Redis; without it the first states are rebuilt from the log. */
const REDIS_PATIENCE_MS = 3000;
/** Long enough for a slow broker, short enough that a claim notices a dead one. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Short first pauses: CONCURRENT_TRANSACTIONS is an everyday answer between two transactions. */
const TRANSACTION_RETRY = { initialRetryTime: 10, multiplier: 2, maxRetryTime: 1000, retries: 10 };
const ADMIN_RETRY = { initialRetryTime: 50, multiplier: 2, maxRetryTime: 1000, retries: 5 };

export interface RunOptions {
  readonly env: Environment;
  readonly file: string | undefined;
  readonly signal: AbortSignal;
  readonly makeLogger: (level: string, format: 'json' | 'pretty') => Logger;
  /** Ends the process at once; used where a stop takes too long. */
  readonly exit: (code: number) => never;
  /** For fault tests. */
  readonly interposed?: Interposed;
}

const clock: MonotonicClock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

/** Resolves with the exit code. Throws ConfigError before any connection is made. */
export async function runThrottler(options: RunOptions): Promise<number> {
  const { env, file, interposed = NOTHING_INTERPOSED } = options;
  const config = loadConfig(throttlerSettings, { env, file });
  const logger = options.makeLogger(config.logLevel, config.logFormat);
  const kafkaSettings = kafkaOptions(config, 'alert-throttle-throttler');
  const makeKafka = (retry?: typeof ADMIN_RETRY): AlertKafka =>
    createKafka({ ...kafkaSettings, requestTimeoutMs: REQUEST_TIMEOUT_MS, ...(retry && { retry }) }, logger);
  const ended = Promise.withResolvers<number>();
  const onStop = (): void => ended.resolve(0);
  options.signal.addEventListener('abort', onStop, { once: true });
  if (options.signal.aborted) onStop();

  let limits = limitsOf(config);
  const metrics = new ThrottlerMetrics();
  const topics = topicNames(config);
  const redis = createRedis(config, logger);
  const codec = new AlertCodec(registryOptions(config));
  const schemas = new SchemaDirectory(codec, clock, logger, options.signal);
  const facts = new KafkaLogFacts(makeKafka(ADMIN_RETRY), config.consumerGroup, topics);
  const ownerFacts = interposed.facts(facts);
  const transactionsKafka = makeKafka(TRANSACTION_RETRY);
  const producers = interposed.producers(transactionsKafka);
  const store = new RedisCheckpointStore(interposed.redis(redis), config.consumerGroup, topics.raw);

  const transactionsOf = (partition: number): KafkaTransactions => {
    const group = config.consumerGroup;
    const ofPartition = {
      transactionalId: `${group}/${topics.raw}/${partition}`,
      group,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    };
    const partitions = [topics.throttled, topics.deadLetter].map((topic) => ({ topic, partition }));
    return new KafkaTransactions({
      ...ofPartition,
      kafka: producers,
      commitTimeoutMs: COMMIT_TIMEOUT_MS,
      partition,
      rawTopic: topics.raw,
      topics,
      compression: COMPRESSION_TYPES[config.kafkaCompression],
      abortHanging: () => abortHanging(transactionsKafka, { ...ofPartition, partitions }),
      stableEnd: (topic) => facts.stableEnd(topics[topic], partition),
    });
  };
  const throttler: Throttler = new Throttler({
    limits: () => limits,
    bounds: () => facts.allBounds(),
    membership: () => group,
    onOwnersChanged: (partitions) => metrics.ownedPartitions(partitions),
    makeOwner: (partition) =>
      new PartitionOwner({
        partition,
        topic: topics.raw,
        startFrom: config.startFrom,
        facts: ownerFacts,
        control: group,
        schemas,
        store,
        transactions: () => interposed.transactions(transactionsOf(partition)),
        limits: () => limits,
        clock,
        logger,
        observer: metrics,
        stillMember: (signal) => group.nextSignOfLife(signal),
        onRefused: (code, message) => {
          logger.fatal({ code }, message);
          ended.resolve(EXIT_CONFIG);
        },
      }),
  });
  const group: KafkaGroup = new KafkaGroup({
    kafka: () => makeKafka(),
    group: config.consumerGroup,
    topic: topics.raw,
    listener: interposed.listener(throttler),
    clock,
    logger,
  });

  const http = await startHttp({
    host: config.httpHost,
    port: config.httpPort,
    usualPort: USUAL_HTTP_PORT,
    metrics: metrics.metrics,
    health: () => throttler.health(),
    ready: () => throttler.ready(),
    logger,
  });
  const watcher = watchConfig(throttlerSettings, {
    env,
    file,
    current: config,
    onChange: (changed, { applied, restartNeeded, overridden }) => {
      limits = limitsOf(changed);
      logger.info({ applied, restartNeeded, overridden, limits }, 'the settings file changed');
      throttler.limitsChanged();
    },
    onInvalid: (error) => logger.error(`${error.message}; the last good settings stay in force`),
    onUnchanged: (change) => logger.info(change, 'the settings file changed; nothing was applied'),
    onWatchError: (error) => logger.warn({ err: error }, 'watching the settings file failed'),
  });
  logger.info({ limits, group: config.consumerGroup, topics }, 'throttler starting');

  const connected = connectRedis(redis).catch((error: unknown) =>
    logger.error({ err: error }, 'DEGRADED: Redis is away; states are rebuilt from the log'),
  );
  // A Redis that still loads its data must not keep alerts waiting.
  await Promise.race([connected, clock.sleep(REDIS_PATIENCE_MS, options.signal).catch(() => undefined)]);
  const registered = async (): Promise<void> => {
    group.expectLife();
    await codec.register(topics.throttled);
  };
  await untilDone(registered, () => 'the schema registry does not answer', logger, options.signal);
  const watchdog = setInterval(() => {
    if (throttler.health().ok) return;
    logger.fatal('a minute without a joined consumer group: ending, so that a restart can cure it');
    ended.resolve(1);
  }, WATCHDOG_MS);
  const joinable = async (): Promise<void> => {
    const why = (error: unknown): string => kafkaFailure(error, kafkaSettings.brokers).message;
    await untilDone(() => facts.connect(), why, logger, options.signal);
    await topicsRight({ facts, group, why, logger }, options.signal);
  };
  void joinable().then(() => {
    if (options.signal.aborted) return;
    throttler.start();
    void group.start();
  });

  const code = await ended.promise;
  logger.info('stopping');
  setTimeout(() => {
    logger.error('the stop took too long');
    options.exit(code === 0 ? 1 : code);
  }, config.shutdownTimeoutSec * 1000).unref();
  clearInterval(watchdog);
  await watcher.close();
  await throttler.stop();
  await group.stop().catch((error: unknown) => logger.warn({ err: error }, 'leaving the group failed'));
  await facts.close().catch(() => undefined);
  redis.disconnect();
  await http.close();
  logger.info('stopped');
  return code;
}

/** What must answer once before the group can be joined; said each time that it does not. */
async function untilDone(
  step: () => Promise<unknown>,
  why: (error: unknown) => string,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await step();
      return;
    } catch (error) {
      logger.warn({ err: error }, `${why(error)}; waiting for it`);
      await sleep(WAIT_RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

interface TopicsOptions {
  readonly facts: KafkaLogFacts;
  readonly group: KafkaGroup;
  readonly why: (error: unknown) => string;
  readonly logger: Logger;
}

/** A group cannot be joined for a topic that does not exist. What is wrong is said once, with what sets it right. */
async function topicsRight({ facts, group, why, logger }: TopicsOptions, signal: AbortSignal): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    try {
      const problems = (await facts.topicProblems()).join('\n');
      if (problems === '') return;
      if (problems !== told) logger.error(problems);
      told = problems;
      // Kafka answers, and a person is needed: no restart would help.
      group.expectLife();
    } catch (error) {
      logger.warn({ err: error }, `${why(error)}; waiting for it`);
    }
    await sleep(WAIT_RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

function limitsOf({ alertThrottling, maxAlertPerSec, throttleSec }: Limits): Limits {
  return { alertThrottling, maxAlertPerSec, throttleSec };
}
