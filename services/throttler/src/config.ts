// The throttler's settings: the shared groups and a few of its own.

import { type ConfigOf, defineSettings, integer, sharedSettings } from '@alert-throttle/config';

export const throttlerSettings = {
  ...sharedSettings,
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
