// The producer's settings: the shared groups and its own.
import {
  defineSettings,
  httpSettings,
  integer,
  kafkaSettings,
  logSettings,
  oneOf,
  pattern,
  registrySettings,
  text,
  topicSettings,
  type ConfigOf,
} from '@alert-throttle/config';
import { SPOOL_FULL_POLICIES } from './intake.ts';

const MIB = 1024 * 1024;

export const producerSettings = {
  ...defineSettings({
    source: {
      type: oneOf('jsonl'),
      default: 'jsonl',
      description: 'Where alerts come from: jsonl, one KubeArmor alert as JSON per line.',
    },
    file: {
      type: text('a path, or - for standard input'),
      description: 'For jsonl: the file, or - for standard input.',
    },
    nodeId: {
      type: pattern(/^[^\s/]{1,200}$/, 'a name without spaces and slashes, at most 200 characters'),
      description: 'NodeID for alerts that have none. Not set: /etc/machine-id, else the host name.',
    },
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
      type: oneOf(...SPOOL_FULL_POLICIES),
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
    maxLineBytes: {
      type: integer(1024, 64 * MIB),
      default: MIB,
      unit: 'bytes',
      description: 'A longer line becomes a dead letter.',
    },
    commitMs: {
      type: integer(1, 10_000),
      default: 50,
      unit: 'milliseconds',
      description: 'An alert is on the disk after so long at the latest.',
    },
    shutdownTimeoutSec: {
      type: integer(0, 300),
      default: 5,
      unit: 'seconds',
      description: 'After SIGTERM, for so long it goes on sending what is in the spool.',
    },
  }),
  ...kafkaSettings,
  ...registrySettings,
  ...topicSettings,
  ...httpSettings,
  ...logSettings,
};

export type ProducerConfig = Readonly<ConfigOf<typeof producerSettings>>;
