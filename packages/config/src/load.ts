// Defaults, file and environment become one frozen config, or one error that names everything that is wrong.
import { resolve } from 'node:path';
import type { z } from 'zod';
import { ConfigError, type ConfigProblem } from './errors.ts';
import { sharedRules, sharedSettings } from './groups.ts';
import type { ConfigOf, Setting, Settings } from './settings.ts';
import { maskCredentials, nearest, printable } from './text.ts';
import { readSettingsFile, readText } from './yaml-file.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadOptions {
  readonly env: Environment;
  /** Path of the YAML file, e.g. from `--config`; without it `CONFIG_FILE` of the environment, else none. */
  readonly file?: string | undefined;
  /** Keys of the file that no setting has: refused (default), or left alone by tools that share a service's file. */
  readonly unknownKeys?: 'refuse' | 'ignore';
}

/** Where a value was found. */
export type Origin = 'environment' | 'file' | 'default';

export interface Loaded<S> {
  readonly config: Readonly<ConfigOf<S>>;
  /** Where each value comes from, by key. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** What the file says of settings that the environment overrides, by key. */
  readonly overridden: Readonly<Record<string, unknown>>;
  /** Path of the file that was read. */
  readonly file: string | undefined;
}

interface Found {
  readonly origin: Origin;
  readonly source: string;
  readonly name: string;
  readonly value: unknown;
}

/** The settings in force. Throws ConfigError. The result is frozen; JSON and inspection hide its secrets. */
export function loadConfig<const S extends Settings>(
  settings: S,
  options: LoadOptions,
): Readonly<ConfigOf<S>> {
  return loadWithOrigins(settings, options).config;
}

/**
 * Path of the settings file: the option, else `CONFIG_FILE`; an empty text counts as not given. A relative one is taken
 * from the folder in which npm was called (INIT_CWD), as npm itself runs scripts elsewhere.
 */
export function configFile(option: string | undefined, env: Environment): string | undefined {
  const named = [option, env['CONFIG_FILE']].find((path) => path !== undefined && path !== '');
  return named === undefined ? undefined : resolve(env['INIT_CWD'] ?? '.', named);
}

/** As loadConfig, and says where each value comes from. */
export function loadWithOrigins<const S extends Settings>(settings: S, options: LoadOptions): Loaded<S> {
  const file = configFile(options.file, options.env);
  const fromFile = file === undefined ? new Map<string, unknown>() : readSettingsFile(file);
  const problems: ConfigProblem[] = [];
  if (file !== undefined && options.unknownKeys !== 'ignore')
    problems.push(...unknownKeys(settings, fromFile.keys(), file));

  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const overridden: Record<string, unknown> = {};
  for (const setting of Object.values(settings)) {
    const inEnvironment = findInEnvironment(setting, options.env, problems);
    const inFile = file === undefined ? undefined : findInFile(setting, fromFile, file, problems);
    const found = inEnvironment ?? inFile;
    origins[setting.key] = found?.origin ?? 'default';
    values[setting.key] = found ? validated(setting, found, problems) : setting.default;
    // What the environment overrides is validated all the same: it comes into force once the variable is gone.
    if (inEnvironment && inFile) overridden[setting.key] = validated(setting, inFile, problems);
  }
  if (problems.length === 0) problems.push(...sharedRules(values));
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: seal<S>(settings, values), origins, overridden, file };
}

function findInEnvironment(setting: Setting, env: Environment, problems: ConfigProblem[]): Found | undefined {
  const place = { origin: 'environment', source: 'environment' } as const;
  const value = env[setting.env];
  const path = setting.secret === true ? env[`${setting.env}_FILE`] : undefined;
  const direct = value === undefined || value === '' ? undefined : { ...place, name: setting.env, value };
  const indirect =
    path === undefined || path === '' ? undefined : { ...place, name: `${setting.env}_FILE`, value: path };
  return either(direct, indirect, problems);
}

function findInFile(
  setting: Setting,
  content: ReadonlyMap<string, unknown>,
  file: string,
  problems: ConfigProblem[],
): Found | undefined {
  const at = (name: string): Found | undefined =>
    content.has(name) ? { origin: 'file', source: file, name, value: content.get(name) } : undefined;
  return either(at(setting.key), setting.secret === true ? at(`${setting.key}File`) : undefined, problems);
}

/** A secret is given itself, or as the path of a file that holds it; both at once is a mistake. */
function either(
  direct: Found | undefined,
  indirect: Found | undefined,
  problems: ConfigProblem[],
): Found | undefined {
  if (!indirect) return direct;
  if (direct) {
    const message = `${place(direct)}: set ${direct.name} or ${indirect.name}, not both`;
    problems.push({ source: direct.source, key: direct.name, message });
    return direct;
  }
  try {
    return { ...indirect, value: readText(String(indirect.value)).replace(/\r?\n$/, '') };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(
      ...error.problems.map((one) => ({ ...one, message: `${place(indirect)}: ${one.message}` })),
    );
    return undefined;
  }
}

function validated(setting: Setting, found: Found, problems: ConfigProblem[]): unknown {
  const accepted = setting.type.description ?? '';
  if (found.value === null || found.value === undefined) {
    const message = `${place(found)} has no value: expected ${accepted}; without the line the default holds`;
    problems.push({ source: found.source, key: found.name, message });
    return undefined;
  }
  const result = setting.type.safeParse(found.value);
  if (result.success) return result.data;
  const got = printable(found.value, setting.secret);
  const message = `${place(found)}: got ${got}, expected ${accepted === '' ? reasons(result.error) : accepted}`;
  problems.push({ source: found.source, key: found.name, message });
  return undefined;
}

function reasons(error: z.ZodError): string {
  return error.issues.map((issue) => issue.message).join('; ');
}

function place(found: Found): string {
  return found.origin === 'file' ? `${found.source}: ${found.name}` : `${found.name} (environment)`;
}

function unknownKeys(settings: Settings, keys: Iterable<string>, file: string): ConfigProblem[] {
  const known = fileKeys({ ...sharedSettings, ...settings });
  const problems: ConfigProblem[] = [];
  for (const key of keys) {
    if (known.includes(key)) continue;
    const meant = nearest(key, known);
    const advice = meant === undefined ? '' : `; did you mean "${meant}"?`;
    problems.push({ source: file, key, message: `${file}: unknown key ${printable(key)}${advice}` });
  }
  return problems;
}

function fileKeys(settings: Settings): string[] {
  return Object.values(settings).flatMap(({ key, secret }) =>
    secret === true ? [key, `${key}File`] : [key],
  );
}

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** Freezes a config; how it prints itself leaves the secrets out. */
export function seal<S extends Settings>(
  settings: S,
  values: Readonly<Record<string, unknown>>,
): Readonly<ConfigOf<S>> {
  const printed = (): Record<string, unknown> => {
    const shown: Record<string, unknown> = {};
    for (const { key, secret } of Object.values(settings)) {
      const value = values[key];
      if (value === undefined) continue;
      shown[key] = secret === true ? '***' : typeof value === 'string' ? maskCredentials(value) : value;
    }
    return shown;
  };
  const config = Object.defineProperties(
    { ...values },
    { toJSON: { value: printed }, [INSPECT]: { value: printed } },
  );
  return Object.freeze(config) as unknown as Readonly<ConfigOf<S>>;
}
