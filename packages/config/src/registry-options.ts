// The schema registry as the settings name it.
import type { registrySettings } from './groups.ts';
import type { ConfigOf } from './settings.ts';

export interface RegistryAddress {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
}

/** What a client of the registry needs; user and password are there only where they are set. */
export function registryOptions(config: ConfigOf<typeof registrySettings>): RegistryAddress {
  const {
    schemaRegistryUrl: url,
    schemaRegistryUsername: username,
    schemaRegistryPassword: password,
  } = config;
  return { url, ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}
