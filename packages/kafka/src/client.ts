// One way to reach Kafka: addresses, TLS, SASL, timeouts, logs.
import { readFileSync } from 'node:fs';
import { ConfigError, type ConfigOf, type kafkaSettings } from '@alert-throttle/config';
import {
  Kafka,
  logLevel,
  type KafkaConfig,
  type Producer,
  type ProducerConfig,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs';
import { renewBrokenConnections } from './broken-connections.ts';
import { registerCompression } from './compression.ts';
import { stopIdleTimers } from './idle-timer.ts';
import { logInto, type KafkaLogger } from './logging.ts';
import { keepCommittedOffsets } from './offset-reset.ts';
import { murmur2Partitioner } from './partitioning.ts';
import { replaceFetchDecoder } from './fetch-decoder.ts';
import { replaceProduceEncoder } from './produce-encoder.ts';

/** PEM texts. An empty object is TLS with the CAs that Node knows. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

export interface KafkaOptions {
  /** host:port */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: TlsOptions;
  readonly sasl?: SaslOptions;
  readonly retry?: RetryOptions;
  readonly connectionTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
}

const CONNECTION_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** kafkajs's client with what every use of it here has in common. */
export class AlertKafka extends Kafka {
  /** host:port, as configured. */
  readonly brokers: readonly string[];

  constructor(options: KafkaOptions, logger: KafkaLogger) {
    super(clientConfig(options, logger));
    this.brokers = options.brokers;
  }

  /** Partitions by murmur2, as Java clients do, unless told otherwise. */
  override producer(config: ProducerConfig = {}): Producer {
    return super.producer({ createPartitioner: murmur2Partitioner, ...config });
  }
}

/** A new client: two consumers must not share one, as they would share a map of committed offsets. */
export function createKafka(options: KafkaOptions, logger: KafkaLogger): AlertKafka {
  stopIdleTimers();
  renewBrokenConnections();
  keepCommittedOffsets();
  registerCompression();
  replaceProduceEncoder();
  replaceFetchDecoder();
  return new AlertKafka(options, logger);
}

/** From the settings; reads the TLS files. Throws ConfigError where one cannot be read. */
export function kafkaOptions(
  config: ConfigOf<typeof kafkaSettings>,
  clientId = 'alert-throttle',
): KafkaOptions {
  const { kafkaBrokers: brokers, kafkaSaslMechanism: mechanism } = config;
  const sasl =
    mechanism === undefined
      ? {}
      : {
          sasl: {
            mechanism,
            username: config.kafkaSaslUsername ?? '',
            password: config.kafkaSaslPassword ?? '',
          },
        };
  return { brokers, clientId, ...(config.kafkaTls ? { tls: tlsOptions(config) } : {}), ...sasl };
}

function tlsOptions(config: ConfigOf<typeof kafkaSettings>): TlsOptions {
  return {
    ...pem('ca', 'KAFKA_TLS_CA_FILE', config.kafkaTlsCaFile),
    ...pem('cert', 'KAFKA_TLS_CERT_FILE', config.kafkaTlsCertFile),
    ...pem('key', 'KAFKA_TLS_KEY_FILE', config.kafkaTlsKeyFile),
  };
}

function pem(part: keyof TlsOptions, setting: string, path: string | undefined): TlsOptions {
  if (path === undefined) return {};
  try {
    return { [part]: readFileSync(path, 'utf8') };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ source: path, key: setting, message: `${setting}: ${reason}` }], {
      cause: error,
    });
  }
}

function clientConfig(options: KafkaOptions, logger: KafkaLogger): KafkaConfig {
  return {
    brokers: [...options.brokers],
    clientId: options.clientId,
    ...(options.tls ? { ssl: { ...options.tls } } : {}),
    ...(options.sasl ? { sasl: saslConfig(options.sasl) } : {}),
    ...(options.retry ? { retry: options.retry } : {}),
    connectionTimeout: options.connectionTimeoutMs ?? CONNECTION_TIMEOUT_MS,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    logLevel: logLevel.INFO,
    logCreator: logInto(logger),
  };
}

function saslConfig({ mechanism, username, password }: SaslOptions): SASLOptions {
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password };
    case 'scram-sha-256':
      return { mechanism, username, password };
    case 'scram-sha-512':
      return { mechanism, username, password };
  }
}
