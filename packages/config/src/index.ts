// Settings of every program here: what they are, where they come from, what is accepted, and how they are followed.
export { ConfigError, EXIT_CONFIG, type ConfigProblem } from './errors.ts';
export {
  groupSettings,
  httpSettings,
  kafkaSettings,
  limitsSettings,
  logSettings,
  redisSettings,
  registrySettings,
  sharedSettings,
  sourceSettings,
  spoolSettings,
  startSettings,
  topicCreationSettings,
  topicSettings,
} from './groups.ts';
export { kernelSettings } from './kernel-groups.ts';
export { settingsHelp } from './help.ts';
export {
  configFile,
  loadConfig,
  loadWithOrigins,
  type Environment,
  type Loaded,
  type LoadOptions,
  type Origin,
} from './load.ts';
export { registryOptions, type RegistryAddress } from './registry-options.ts';
export {
  defineSettings,
  environmentName,
  type ConfigOf,
  type Setting,
  type Settings,
  type SettingSpec,
} from './settings.ts';
export { maskCredentials } from './text.ts';
export { addresses, bool, integer, oneOf, pattern, text, topicName, url } from './types.ts';
export { watchConfig, type ConfigChange, type ConfigWatcher, type WatchOptions } from './watch.ts';
