// One run of the producer: settings become adapters, adapters a pipeline, and signals its end.
import { hostname } from 'node:os';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { AlertCodec } from '@alert-throttle/alert';
import {
  ConfigError,
  loadConfig,
  registryOptions,
  watchConfig,
  type ConfigWatcher,
} from '@alert-throttle/config';
import { COMPRESSION_TYPES, createKafka, kafkaOptions } from '@alert-throttle/kafka';
import { Metrics, startHttp, type HttpServer, type Logger } from '@alert-throttle/observability';
import { alertEncoder, alertRecord, newestVersion } from './adapters/alert-schemas.ts';
import { openFileSource, openStreamSource } from './adapters/jsonl-source.ts';
import { KafkaSink } from './adapters/kafka-sink.ts';
import { openSqliteSpool } from './adapters/sqlite-spool.ts';
import { systemClock } from './adapters/system-clock.ts';
import { producerSettings, type ProducerConfig } from './config.ts';
import { fieldTable } from './core/alert-fields.ts';
import { DEAD_LETTER_VALUE_BYTES } from './core/dead-letters.ts';
import type { LineLimits } from './core/line-splitter.ts';
import type { KernelNode } from './kernel/kernel-node.ts';
import { kernelGauges, kernelObserver } from './kernel/metrics.ts';
import { openKernelNode } from './kernel/open-kernel-node.ts';
import { prometheusObserver, spoolGauges } from './metrics.ts';
import { Pipeline } from './pipeline.ts';
import type { AlertSource, Batch, Spool } from './ports.ts';
import { summary, type Totals } from './totals.ts';

export interface RunOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The YAML file of settings. */
  readonly configFile: string | undefined;
  /** Reads the file from its start, wherever an earlier run stopped. */
  readonly fromStart: boolean;
  /** Relative paths are meant from here. */
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stop: AbortSignal;
  readonly makeLogger: (config: ProducerConfig) => Logger;
}

/** Standard input's name, in messages and in dead letters. */
const STDIN = 'stdin';
const USUAL_HTTP_PORT = 9465;
const GAUGES_MS = 1_000;
const COMMIT_RECORDS = 2_000;
const MAX_COMMIT_BYTES = 1024 * 1024;

/** Kafka is asked often and briefly: the pipeline backs off by itself, and says what is wrong. */
const KAFKA_RETRY = { initialRetryTime: 100, maxRetryTime: 500, retries: 2 };
const KAFKA_REQUEST_TIMEOUT_MS = 15_000;

/** Throws ConfigError, and ProducerError where the file or the spool cannot be used. */
export async function runProducer(options: RunOptions): Promise<Totals> {
  const { env, configFile } = options;
  const config = loadConfig(producerSettings, { env, file: configFile });
  if (config.source === 'jsonl' && config.file === undefined) throw fileMissing();
  const logger = options.makeLogger(config);
  const spool = openSqliteSpool({
    dir: resolve(config.spoolDir),
    maxBytes: config.spoolMaxBytes,
    schemaVersion: newestVersion,
    nowMs: systemClock.nowMs,
  });
  const metrics = new Metrics('producer');
  try {
    const opened = await openSource(config, spool, metrics, logger, options);
    try {
      return await produce({ config, spool, opened, metrics, logger }, options);
    } finally {
      await opened.close();
    }
  } finally {
    spool.close();
  }
}

/** Where alerts come from, and what else there is to do with it. */
interface OpenedSource {
  readonly source: AlertSource<Batch>;
  /** The kernel source decides and watches by itself, and has a state that operators ask for. */
  readonly node?: KernelNode;
  readonly updateGauges?: () => void;
  close(): Promise<void>;
}

interface Run {
  readonly config: ProducerConfig;
  readonly spool: Spool;
  readonly opened: OpenedSource;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

async function produce(run: Run, options: RunOptions): Promise<Totals> {
  const { config, spool, metrics, logger } = run;
  const { source, node } = run.opened;
  let spoolMaxBytes = config.spoolMaxBytes;
  const sink = kafkaSink(config, logger);
  const pipeline = new Pipeline({
    source,
    spool,
    sink,
    encoder: alertEncoder,
    mapContext: {
      fields: fieldTable(alertRecord),
      nodeId: config.nodeId ?? nodeId(),
      nowMicros: systemClock.nowMicros,
    },
    settings: {
      spoolFull: config.spoolFull,
      spoolFullWaitMs: config.spoolFullWaitSec * 1000,
      spoolMaxBytes: () => spoolMaxBytes,
      commitMs: config.commitMs,
      commitRecords: COMMIT_RECORDS,
      // A stage and a line of the largest size must fit even the smallest spool.
      commitBytes: () => Math.min(MAX_COMMIT_BYTES, spoolMaxBytes / 4),
    },
    clock: systemClock,
    logger,
    observer: prometheusObserver(metrics),
    shutdownMs: config.shutdownTimeoutSec * 1000,
  });
  const http = await serve(run, pipeline);
  const updateSpoolGauges = spoolGauges(metrics, { spool, clock: systemClock, state: () => pipeline.state });
  const updateGauges = (): void => {
    updateSpoolGauges();
    run.opened.updateGauges?.();
  };
  updateGauges();
  const gauges = setInterval(updateGauges, GAUGES_MS);
  const watcher = watch(options, config, logger, (changed) => {
    spoolMaxBytes = changed.spoolMaxBytes;
    spool.setMaxBytes(changed.spoolMaxBytes);
    node?.setLimits(changed);
    node?.setPostures(changed);
  });
  const stop = (): void => {
    logger.info({}, 'stopping: what was read is stored and sent as far as time allows');
    pipeline.stop();
  };
  options.stop.addEventListener('abort', stop);
  if (options.stop.aborted) stop();
  try {
    logger.info(
      { source: source.name, brokers: config.kafkaBrokers, topic: config.rawTopic, bootId: spool.bootId },
      `producing ${source.name} to ${sink.target}, topic ${config.rawTopic}`,
    );
    await node?.start();
    const totals = await pipeline.run();
    logger.info({ ...totals }, `producer finished: ${summary(totals)}`);
    return totals;
  } finally {
    options.stop.removeEventListener('abort', stop);
    clearInterval(gauges);
    await Promise.all([sink.disconnect(), http.close(), watcher.close()]);
  }
}

async function openSource(
  config: ProducerConfig,
  spool: Spool,
  metrics: Metrics,
  logger: Logger,
  options: RunOptions,
): Promise<OpenedSource> {
  if (config.source === 'jsonl') {
    const source = await openLines(config.file ?? '-', config, spool, logger, options);
    return { source, close: () => source.close() };
  }
  const { node, kernel } = openKernelNode({
    config,
    nodeId: config.nodeId ?? nodeId(),
    spool,
    cwd: options.cwd,
    clock: systemClock,
    logger,
    observer: kernelObserver(metrics),
  });
  return {
    source: node.source,
    node,
    updateGauges: kernelGauges(metrics, kernel, () => node.figures),
    close: () => node.close(),
  };
}

async function openLines(
  file: string,
  config: ProducerConfig,
  spool: Spool,
  logger: Logger,
  { cwd, stdin, fromStart }: RunOptions,
): Promise<AlertSource> {
  const limits: LineLimits = { maxLineBytes: config.maxLineBytes, keptBytes: DEAD_LETTER_VALUE_BYTES };
  if (file === '-') return openStreamSource(STDIN, stdin, limits);
  const path = resolve(cwd, file);
  const cursor = fromStart ? undefined : spool.cursor(path);
  const { source, verdict } = await openFileSource({ path, limits, cursor });
  const { line, offset } = source.start;
  if (verdict === 'used')
    logger.info(
      { path, line, offset },
      `an earlier run stopped after line ${line} of ${path}: going on there`,
    );
  if (verdict === 'file changed')
    logger.warn(
      { path },
      `${path} is not the file that an earlier run left unfinished: reading it from its start`,
    );
  return source;
}

function kafkaSink(config: ProducerConfig, logger: Logger): KafkaSink {
  const kafka = {
    ...kafkaOptions(config, 'alert-throttle-producer'),
    retry: KAFKA_RETRY,
    requestTimeoutMs: KAFKA_REQUEST_TIMEOUT_MS,
  };
  const quiet = (fields: object, message: string): void => logger.debug(fields, message);
  // Each failure is reported once, with its address and cause; kafkajs tells every attempt of every connection.
  const kafkaLogger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const { rawTopic: raw, throttledTopic: throttled, deadLetterTopic: deadLetter } = config;
  return new KafkaSink({
    createKafka: () => createKafka(kafka, kafkaLogger),
    codec: new AlertCodec(registryOptions(config)),
    topics: { raw, throttled, deadLetter },
    brokers: config.kafkaBrokers,
    schemaVersion: newestVersion,
    compression: COMPRESSION_TYPES[config.kafkaCompression],
    clock: systemClock,
    warn: (fields, message) => logger.warn(fields, message),
  });
}

function serve({ config, metrics, spool, logger, opened }: Run, pipeline: Pipeline): Promise<HttpServer> {
  const { node } = opened;
  const detail = (): Record<string, unknown> => {
    const { records, bytes } = spool.usage();
    const kernel = node === undefined ? {} : { kernel: node.status };
    return { ...pipeline.state, spoolRecords: records, spoolBytes: bytes, ...kernel };
  };
  return startHttp({
    host: config.httpHost,
    port: config.httpPort,
    usualPort: USUAL_HTTP_PORT,
    metrics,
    health: () => ({ ok: node?.isAlive ?? true, detail: detail() }),
    ready: () => ({ ok: pipeline.state.connected && (node?.isArmed ?? true), detail: detail() }),
    logger,
  });
}

function watch(
  { env, configFile: file }: RunOptions,
  current: ProducerConfig,
  logger: Logger,
  apply: (config: ProducerConfig) => void,
): ConfigWatcher {
  const tellRestart = (keys: readonly string[]): void => {
    if (keys.length > 0)
      logger.warn({ keys }, `changed in the file, but in force only after a restart: ${keys.join(', ')}`);
  };
  return watchConfig(producerSettings, {
    env,
    file,
    current,
    onChange: (config, { applied, restartNeeded }) => {
      apply(config);
      logger.info({ applied }, `settings applied: ${applied.join(', ')}`);
      tellRestart(restartNeeded);
    },
    onInvalid: (error) =>
      logger.error({ problems: error.problems }, `${error.message}; the last good settings stay`),
    onUnchanged: ({ restartNeeded }) => tellRestart(restartNeeded),
  });
}

/** As KubeArmor takes it. */
function nodeId(): string {
  try {
    const id = readFileSync('/etc/machine-id', 'utf8').trim();
    if (id !== '') return id;
  } catch {
    // Not every machine has one.
  }
  return hostname();
}

function fileMissing(): ConfigError {
  const message = 'FILE is not set: give --file FILE, or --file - for standard input';
  return new ConfigError([{ source: 'settings', key: 'FILE', message }]);
}
