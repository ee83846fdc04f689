// The settings that several programs share, one group per thing that is set up with them, and the rules between them.
import type { ConfigProblem } from './errors.ts';
import { kernelSettings } from './kernel-groups.ts';
import { defineSettings } from './settings.ts';
import { addresses, bool, integer, oneOf, pattern, text, topicName, url } from './types.ts';

const MIB = 1024 * 1024;

export const limitsSettings = defineSettings({
  alertThrottling: {
    type: bool(),
    default: true,
    live: true,
    description: 'Throttling on or off.',
  },
  maxAlertPerSec: {
    type: integer(1, 100_000),
    default: 10,
    live: true,
    description: 'Alerts that one container may generate within one second (1..100000).',
  },
  throttleSec: {
    type: integer(1, 86_400),
    default: 30,
    unit: 'seconds',
    live: true,
    description: "How long a container's alerts are dropped once it crossed the threshold (1..86400).",
  },
});

export const kafkaSettings = defineSettings({
  kafkaBrokers: {
    type: addresses(),
    default: ['127.0.0.1:9092'],
    description: 'Kafka brokers, host:port, with commas between them.',
  },
  kafkaCompression: {
    type: oneOf('none', 'gzip', 'lz4', 'zstd'),
    default: 'zstd',
    description:
      'How batches are compressed that are written to Kafka: zstd, lz4, gzip or none. All are read.',
  },
  kafkaTls: { type: bool(), default: false, description: 'Talk TLS to Kafka.' },
  kafkaTlsCaFile: { type: text('a path'), description: "PEM file with the CA of the brokers' certificates." },
  kafkaTlsCertFile: {
    type: text('a path'),
    description: 'PEM file with the client certificate, for mutual TLS.',
  },
  kafkaTlsKeyFile: { type: text('a path'), description: 'PEM file with the key of the client certificate.' },
  kafkaSaslMechanism: {
    type: oneOf('plain', 'scram-sha-256', 'scram-sha-512'),
    description: 'SASL mechanism: plain, scram-sha-256 or scram-sha-512. Not set: no SASL.',
  },
  kafkaSaslUsername: { type: text(), description: 'SASL user.' },
  kafkaSaslPassword: { type: text(), secret: true, description: 'SASL password.' },
});

export const registrySettings = defineSettings({
  schemaRegistryUrl: {
    type: url('http', 'https'),
    default: 'http://127.0.0.1:8081',
    description: 'Schema registry (Confluent API).',
  },
  schemaRegistryUsername: { type: text(), description: 'User for basic authentication at the registry.' },
  schemaRegistryPassword: { type: text(), secret: true, description: 'Password for it.' },
});

export const redisSettings = defineSettings({
  redisUrl: {
    type: url('redis', 'rediss'),
    default: 'redis://127.0.0.1:6379',
    description: 'Redis, redis://host:port/db; rediss:// talks TLS.',
  },
  redisUsername: { type: text(), description: 'Redis user; wins over the one in the URL.' },
  redisPassword: { type: text(), secret: true, description: 'Redis password; wins over the one in the URL.' },
  redisTlsCaFile: {
    type: text('a path'),
    description: "PEM file with the CA of the Redis server's certificate.",
  },
});

export const topicSettings = defineSettings({
  rawTopic: { type: topicName(), default: 'kubearmor.alerts', description: 'Topic with every alert.' },
  throttledTopic: {
    type: topicName(),
    default: 'kubearmor.alerts.throttled',
    description: 'Topic with what is left after throttling.',
  },
  deadLetterTopic: {
    type: topicName(),
    default: 'kubearmor.alerts.dead-letter',
    description: 'Topic with what could not be read, as it came.',
  },
});

/** How topics are made where they are missing. */
export const topicCreationSettings = defineSettings({
  topicPartitions: {
    type: integer(1, 10_000),
    default: 6,
    description: 'Partitions of topics that are made because they are missing.',
  },
  topicReplication: {
    type: integer(-1, 32),
    default: -1,
    description: "Replicas of such topics; -1: as many as the brokers' own default says.",
  },
});

export const groupSettings = defineSettings({
  consumerGroup: {
    type: pattern(/^[^\s{}/]{1,200}$/, 'a name without spaces, braces and slashes, at most 200 characters'),
    default: 'alert-throttle',
    description: 'Consumer group of the throttler; also names its keys in Redis.',
  },
});

export const startSettings = defineSettings({
  startFrom: {
    type: oneOf('earliest', 'latest'),
    description: 'Where a group without committed offsets begins: earliest or latest.',
  },
});

/** Where the producer gets its alerts from. */
export const sourceSettings = defineSettings({
  source: {
    type: oneOf('jsonl', 'kernel'),
    default: 'jsonl',
    description:
      'Where alerts come from: jsonl, one KubeArmor alert as JSON per line, or kernel, policies that BPF programs enforce.',
  },
  file: {
    type: text('a path, or - for standard input'),
    description: 'For jsonl: the file, or - for standard input.',
  },
  nodeId: {
    type: pattern(/^[^\s/]{1,200}$/, 'a name without spaces and slashes, at most 200 characters'),
    description: 'NodeID for alerts that have none. Not set: /etc/machine-id, else the host name.',
  },
  maxLineBytes: {
    type: integer(1024, 64 * MIB),
    default: MIB,
    unit: 'bytes',
    description: 'A longer line becomes a dead letter.',
  },
});

/** What the producer keeps on the disk until Kafka has it. */
export const spoolSettings = defineSettings({
  spoolDir: {
    type: text('a path'),
    default: '.alert-throttle/spool',
    description: 'Folder for what Kafka does not have yet, one per producer.',
  },
  spoolMaxBytes: {
    type: integer(MIB, 1024 * 1024 * MIB),
    default: 256 * MIB,
    unit: 'bytes',
    live: true,
    description: 'How large the spool may grow, at least 1 MiB.',
  },
  spoolFull: {
    type: oneOf('auto', 'wait', 'drop'),
    default: 'auto',
    description:
      'When the spool is full: wait (stop reading), drop (lose alerts, count and announce them) or auto: a file ' +
      'waits; standard input waits while the broker acknowledges, then drops.',
  },
  spoolFullWaitSec: {
    type: integer(0, 86_400),
    default: 10,
    unit: 'seconds',
    description: 'For SPOOL_FULL=auto: without an acknowledgement for so long, standard input drops.',
  },
  commitMs: {
    type: integer(1, 10_000),
    default: 50,
    unit: 'milliseconds',
    description: 'An alert is on the disk after so long at the latest.',
  },
});

/** Health, readiness and metrics. `httpPort` not set means: the usual port of the service, or a free one. */
export const httpSettings = defineSettings({
  httpHost: {
    type: text('an address'),
    default: '127.0.0.1',
    description: 'Address for health and metrics.',
  },
  httpPort: {
    type: integer(0, 65_535),
    description:
      'Port for health and metrics. Not set: 9464 (throttler) or 9465 (producer), or a free one if that is taken. ' +
      '0: a free one.',
  },
});

export const logSettings = defineSettings({
  logLevel: {
    type: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    description: 'Least severe log lines that are written: trace, debug, info, warn, error, fatal, silent.',
  },
  logFormat: { type: oneOf('json', 'pretty'), default: 'json', description: 'Log lines as json or pretty.' },
});

/** Every shared setting: one file may serve all the programs, so each of them knows the keys of the others. */
export const sharedSettings = {
  ...limitsSettings,
  ...kafkaSettings,
  ...registrySettings,
  ...redisSettings,
  ...topicSettings,
  ...topicCreationSettings,
  ...groupSettings,
  ...startSettings,
  ...sourceSettings,
  ...kernelSettings,
  ...spoolSettings,
  ...httpSettings,
  ...logSettings,
};

/** What must hold between settings of the groups above; a rule is silent where its settings are not in use. */
export function sharedRules(config: Readonly<Record<string, unknown>>): ConfigProblem[] {
  const messages = [
    ...distinctTopics(config),
    ...completeSasl(config),
    ...usefulTls(config),
    ...basicAuth(config),
    ...sourceNeeds(config),
  ];
  return messages.map((message) => ({ source: 'settings', message }));
}

function distinctTopics(config: Readonly<Record<string, unknown>>): string[] {
  const topics = [config['rawTopic'], config['throttledTopic'], config['deadLetterTopic']].filter(Boolean);
  if (new Set(topics).size === topics.length) return [];
  return [`RAW_TOPIC, THROTTLED_TOPIC and DEAD_LETTER_TOPIC must differ, got ${topics.join(', ')}`];
}

function completeSasl(config: Readonly<Record<string, unknown>>): string[] {
  const mechanism = config['kafkaSaslMechanism'];
  const username = config['kafkaSaslUsername'];
  const password = config['kafkaSaslPassword'];
  if (mechanism === undefined) {
    const given = username === undefined ? 'KAFKA_SASL_PASSWORD' : 'KAFKA_SASL_USERNAME';
    return username === undefined && password === undefined
      ? []
      : [`${given} is set, but KAFKA_SASL_MECHANISM is not: plain, scram-sha-256 or scram-sha-512`];
  }
  if (username !== undefined && password !== undefined) return [];
  return ['KAFKA_SASL_MECHANISM is set, so KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD must be, too'];
}

function usefulTls(config: Readonly<Record<string, unknown>>): string[] {
  const files = ['kafkaTlsCaFile', 'kafkaTlsCertFile', 'kafkaTlsKeyFile'].filter(
    (key) => config[key] !== undefined,
  );
  const problems: string[] = [];
  if (files.length > 0 && config['kafkaTls'] !== true)
    problems.push('KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE need KAFKA_TLS=true');
  if ((config['kafkaTlsCertFile'] === undefined) !== (config['kafkaTlsKeyFile'] === undefined))
    problems.push('KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE belong together: set both or none');
  if (config['redisTlsCaFile'] !== undefined && !String(config['redisUrl']).startsWith('rediss://'))
    problems.push('REDIS_TLS_CA_FILE needs a REDIS_URL that begins with rediss://');
  return problems;
}

function sourceNeeds(config: Readonly<Record<string, unknown>>): string[] {
  if (config['source'] !== 'kernel' || config['policyDir'] !== undefined) return [];
  return ['SOURCE=kernel needs POLICY_DIR: a folder with KubeArmorPolicy files, which may be empty'];
}

function basicAuth(config: Readonly<Record<string, unknown>>): string[] {
  const named = config['schemaRegistryUsername'] === undefined;
  const secret = config['schemaRegistryPassword'] === undefined;
  return named === secret ? [] : ['SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD belong together'];
}
