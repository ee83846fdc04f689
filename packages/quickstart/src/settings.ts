// The settings that matter to the quick start; the services read theirs themselves, from the same places.
import {
  ConfigError,
  groupSettings,
  kafkaSettings,
  limitsSettings,
  loadWithOrigins,
  logSettings,
  redisSettings,
  registrySettings,
  topicCreationSettings,
  topicSettings,
  type ConfigOf,
  type LoadOptions,
} from '@alert-throttle/config';
import type { StackEnv } from '@alert-throttle/stack';

export const quickstartSettings = {
  ...limitsSettings,
  ...kafkaSettings,
  ...registrySettings,
  ...redisSettings,
  ...topicSettings,
  ...topicCreationSettings,
  ...groupSettings,
  ...logSettings,
};

export type QuickstartConfig = Readonly<ConfigOf<typeof quickstartSettings>>;

const ADDRESSES = {
  kafkaBrokers: 'KAFKA_BROKERS',
  schemaRegistryUrl: 'SCHEMA_REGISTRY_URL',
  redisUrl: 'REDIS_URL',
};

/**
 * `external`: the addresses are configured, so nothing is started for them; those of the `local` stack, which a shell
 * may still have from its env file, do not count. Throws ConfigError, also where only some of the addresses are given:
 * a mixture of the user's servers and ours would surprise.
 */
export function loadSettings(
  options: LoadOptions,
  local?: StackEnv,
): { config: QuickstartConfig; external: boolean } {
  const { config, origins } = loadWithOrigins(quickstartSettings, options);
  const missing = Object.entries(ADDRESSES).filter(([key]) => origins[key] === 'default');
  if (missing.length === 0) return { config, external: !isLocal(config, local) };
  if (missing.length === Object.keys(ADDRESSES).length) return { config, external: false };
  const names = missing.map(([, env]) => env).join(' and ');
  const all = Object.values(ADDRESSES).join(', ');
  const message = `${names} not set: give all of ${all} to use servers of yours, or none to have a local stack started`;
  throw new ConfigError([{ source: 'settings', message }]);
}

function isLocal(config: QuickstartConfig, local: StackEnv | undefined): boolean {
  return (
    local !== undefined &&
    config.kafkaBrokers.join(',') === local.KAFKA_BROKERS &&
    config.schemaRegistryUrl === local.SCHEMA_REGISTRY_URL &&
    config.redisUrl === local.REDIS_URL
  );
}
