// The producer's settings: the shared groups and its own.
import {
  defineSettings,
  httpSettings,
  integer,
  kafkaSettings,
  kernelSettings,
  limitsSettings,
  logSettings,
  registrySettings,
  sourceSettings,
  spoolSettings,
  topicSettings,
  type ConfigOf,
} from '@alert-throttle/config';

export const producerSettings = {
  ...sourceSettings,
  ...kernelSettings,
  ...limitsSettings,
  ...spoolSettings,
  ...defineSettings({
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
