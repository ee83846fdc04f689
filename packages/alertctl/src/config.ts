// The settings of alertctl: those of the services that say where things are.
import {
  groupSettings,
  httpSettings,
  kafkaSettings,
  kernelSettings,
  redisSettings,
  registrySettings,
  topicCreationSettings,
  topicSettings,
  type ConfigOf,
} from '@alert-throttle/config';

export const settings = {
  ...kafkaSettings,
  ...registrySettings,
  ...redisSettings,
  ...topicSettings,
  ...topicCreationSettings,
  ...groupSettings,
  ...kernelSettings,
  ...httpSettings,
};

export type AlertctlConfig = ConfigOf<typeof settings>;
