// The throttler's settings: the shared groups that it uses, and one of its own.

import {
  type ConfigOf,
  defineSettings,
  groupSettings,
  httpSettings,
  integer,
  kafkaSettings,
  limitsSettings,
  logSettings,
  redisSettings,
  registrySettings,
  startSettings,
  topicSettings,
} from '@alert-throttle/config';

export const throttlerSettings = {
  ...limitsSettings,
  ...kafkaSettings,
  ...registrySettings,
  ...redisSettings,
  ...topicSettings,
  ...groupSettings,
  ...startSettings,
  ...httpSettings,
  ...logSettings,
  ...defineSettings({
    shutdownTimeoutSec: {
      type: integer(1, 300),
      default: 10,
      unit: 'seconds',
      description: 'How long a stop may take until the process ends anyway.',
    },
  }),
};

export type ThrottlerConfig = ConfigOf<typeof throttlerSettings>;
