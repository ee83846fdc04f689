// What a setting is. A setting is named once, by its key in the file; its environment name follows from that.
import type { z } from 'zod';

export interface SettingSpec<T = unknown> {
  readonly type: z.ZodType<T>;
  /** In force where neither file nor environment say anything. Without one the value may be `undefined`. */
  readonly default?: T;
  readonly description: string;
  /** Never printed; may also be given as the path of a file that holds it (`<NAME>_FILE`, `<key>File`). */
  readonly secret?: boolean;
  /** Unit of the value, for the help. */
  readonly unit?: string;
  /** A change of the file takes effect while the service runs. */
  readonly live?: boolean;
}

export interface Setting<T = unknown> extends SettingSpec<T> {
  /** Name in the environment, e.g. `MAX_ALERT_PER_SEC`. */
  readonly env: string;
  /** Name in the YAML file and in the config object, e.g. `maxAlertPerSec`. */
  readonly key: string;
}

export type Settings = Readonly<Record<string, Setting>>;

type Named<S extends Record<string, SettingSpec>> = {
  readonly [K in keyof S]: S[K] & { readonly env: string; readonly key: string };
};

/** The values of a group of settings: a setting without a default may be `undefined`. */
export type ConfigOf<S> = {
  readonly [K in keyof S]: S[K] extends { readonly type: z.ZodType<infer T> }
    ? S[K] extends { readonly default: unknown }
      ? T
      : T | undefined
    : never;
};

/** Names a group of settings. Groups are put together with the spread operator. */
export function defineSettings<const S extends Record<string, SettingSpec>>(specs: S): Named<S> {
  const named: Record<string, Setting> = {};
  for (const [key, spec] of Object.entries(specs)) named[key] = { ...spec, key, env: environmentName(key) };
  return named as unknown as Named<S>;
}

/** `maxAlertPerSec` -> `MAX_ALERT_PER_SEC`. */
export function environmentName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
