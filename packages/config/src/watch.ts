// Follows the settings file: a valid change of live settings is applied, an invalid one is refused and the last good stays.
//
// The file's folder is watched, not the file: editors rename a new file over the old one, and a ConfigMap volume
// swaps a symbolic link beside it (`..data`), so that the path stays while what it names changes.
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { watch } from 'chokidar';
import { ConfigError } from './errors.ts';
import { configFile, loadWithOrigins, seal, type Loaded, type LoadOptions } from './load.ts';
import type { ConfigOf, Settings } from './settings.ts';

/** What a change of the file means beyond the settings that were applied. Lists hold keys of the file. */
export interface ConfigChange {
  /** Live settings that have new values now. */
  readonly applied: readonly string[];
  /** Settings that were changed in the file, but take effect only with a restart. */
  readonly restartNeeded: readonly string[];
  /** Live settings that were changed in the file without effect, as the environment overrides them. */
  readonly overridden: readonly string[];
}

export interface WatchOptions<S> extends LoadOptions {
  /** The settings that are in force now; by default the file is read once more. Later values are compared with them. */
  readonly current?: Readonly<ConfigOf<S>>;
  /** Live settings changed. `config` is what is in force: settings that need a restart keep their values in it. */
  readonly onChange: (config: Readonly<ConfigOf<S>>, change: ConfigChange) => void;
  /** The file is not usable, once for each new reason. The last good settings stay in force. */
  readonly onInvalid: (error: ConfigError) => void;
  /** The file changed, but nothing was applied: what it would take. Also called after an invalid file became valid again. */
  readonly onUnchanged?: (change: ConfigChange) => void;
  /** The watcher itself fails (e.g. no more inotify watches); the file is still read now and then. */
  readonly onWatchError?: (error: Error) => void;
  /** How long the folder must be still before the file is read. */
  readonly debounceMs?: number;
  /** How often the file is read although nothing was announced: some file systems announce nothing. */
  readonly pollMs?: number;
}

export interface ConfigWatcher {
  /** Resolves once changes are noticed. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

const DEBOUNCE_MS = 250;
const POLL_MS = 5_000;

/** Watches the file that loadConfig would read. Without a file there is nothing to watch. */
export function watchConfig<const S extends Settings>(settings: S, options: WatchOptions<S>): ConfigWatcher {
  const file = configFile(options.file, options.env);
  if (file === undefined) return { ready: Promise.resolve(), close: () => Promise.resolve() };

  const follower = new Follower(settings, options);
  let debounce: NodeJS.Timeout | undefined;
  let lastState: string | undefined;
  const soon = (): void => {
    clearTimeout(debounce);
    debounce = setTimeout(read, options.debounceMs ?? DEBOUNCE_MS);
  };
  /**
   * Believes a text only when it finds it twice: a file that is written in place is empty for a moment, or ends within
   * a number, and both would be valid.
   */
  const read = (): void => {
    const state = stateOf(file);
    const settled = state === lastState;
    lastState = state;
    if (settled && follower.read(() => stateOf(file) === state)) return;
    soon();
  };
  const poll = setInterval(soon, options.pollMs ?? POLL_MS).unref();
  const folder = dirname(resolve(file));
  const watcher = watch(folder, {
    depth: 0,
    followSymlinks: false,
    ignoreInitial: true,
    // Neighbours need no watch of their own; `..data` and the like are how a ConfigMap volume changes.
    ignored: (path) =>
      path !== folder && basename(path) !== basename(file) && !basename(path).startsWith('..'),
  });
  watcher.on('all', soon).on('raw', soon);
  watcher.on('error', (error) =>
    options.onWatchError?.(error instanceof Error ? error : new Error(String(error))),
  );
  // A change between loadConfig and the first event of the watcher is found by reading once more.
  const ready = new Promise<void>((done) => {
    watcher.once('ready', () => {
      read();
      done();
    });
  });
  return {
    ready,
    close: async () => {
      clearTimeout(debounce);
      clearInterval(poll);
      follower.stop();
      await watcher.close();
    },
  };
}

/** Compares what the file says with what is in force, and tells the owner. */
class Follower<const S extends Settings> {
  readonly #settings: S;
  readonly #options: WatchOptions<S>;
  /** In force. */
  #current: Readonly<ConfigOf<S>>;
  /** What the file last said, with the environment over it: a change is reported once. */
  #seen: Readonly<ConfigOf<S>>;
  #seenOverridden: Readonly<Record<string, unknown>>;
  #invalid: string | undefined;
  #stopped = false;

  constructor(settings: S, options: WatchOptions<S>) {
    this.#settings = settings;
    this.#options = options;
    if (options.current) {
      this.#current = options.current;
      this.#seenOverridden = loadedOrNothing(settings, options)?.overridden ?? {};
    } else {
      const { config, overridden } = loadWithOrigins(settings, options);
      this.#current = config;
      this.#seenOverridden = overridden;
    }
    this.#seen = this.#current;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** False, and nothing done, where the file turns out to be another one by now. */
  read(unchanged: () => boolean): boolean {
    if (this.#stopped) return true;
    let found: Loaded<S> | ConfigError;
    try {
      found = loadWithOrigins(this.#settings, this.#options);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      found = error;
    }
    if (!unchanged()) return false;
    if (found instanceof ConfigError) this.#refuse(found);
    else this.#accept(found);
    return true;
  }

  #refuse(error: ConfigError): void {
    if (this.#invalid === error.message) return;
    this.#invalid = error.message;
    this.#options.onInvalid(error);
  }

  #accept(loaded: Loaded<S>): void {
    const recovered = this.#invalid !== undefined;
    this.#invalid = undefined;
    const overridden = changedKeys(this.#seenOverridden, loaded.overridden);
    const changed = changedKeys(this.#seen, loaded.config);
    this.#seen = loaded.config;
    this.#seenOverridden = loaded.overridden;

    const isLive = (key: string): boolean => this.#settings[key]?.live === true;
    const change: ConfigChange = {
      applied: changedKeys(this.#current, loaded.config).filter(isLive),
      restartNeeded: changed.filter((key) => !isLive(key)),
      overridden: overridden.filter(isLive),
    };
    if (change.applied.length > 0) {
      this.#current = this.#merged(loaded.config, change.applied);
      this.#options.onChange(this.#current, change);
    } else if (recovered || change.restartNeeded.length > 0 || change.overridden.length > 0) {
      this.#options.onUnchanged?.(change);
    }
  }

  #merged(next: Readonly<ConfigOf<S>>, keys: readonly string[]): Readonly<ConfigOf<S>> {
    const values = { ...(this.#current as Record<string, unknown>) };
    for (const key of keys) values[key] = (next as Record<string, unknown>)[key];
    return seal(this.#settings, values);
  }
}

/**
 * Its text, and when that was written: a file that is emptied twice is no file that is still. Undefined where it cannot be
 * read; why is said when it is loaded.
 */
function stateOf(file: string): string | undefined {
  try {
    return `${statSync(file, { bigint: true }).mtimeNs} ${readFileSync(file, 'utf8')}`;
  } catch {
    return undefined;
  }
}

/** With `current` given, a file that just became invalid must not stop the watch from beginning. */
function loadedOrNothing<S extends Settings>(settings: S, options: LoadOptions): Loaded<S> | undefined {
  try {
    return loadWithOrigins(settings, options);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function changedKeys(left: object, right: object): string[] {
  const before = left as Readonly<Record<string, unknown>>;
  const after = right as Readonly<Record<string, unknown>>;
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key]));
}
