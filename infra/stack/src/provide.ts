// What a command needs of the system's packages: found, or installed where that is allowed, or asked for by name.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StackError } from './errors.ts';
import { run, tail } from './run.ts';

export interface Need<T> {
  /** As a person would call it. */
  readonly what: string;
  /** Debian's packages that bring it. */
  readonly packages: readonly string[];
  /** Undefined where the system has none that will do. */
  readonly find: () => T | undefined | Promise<T | undefined>;
}

export type Needs = Readonly<Record<string, Need<unknown>>>;

export type Provided<N extends Needs> = {
  readonly [K in keyof N]: N[K] extends Need<infer T> ? T : never;
};

export interface ProvideOptions {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export async function provide<N extends Needs>(
  needs: N,
  { log, signal }: ProvideOptions,
): Promise<Provided<N>> {
  const first = await look(needs);
  if (first.missing.length === 0) return first.found as Provided<N>;
  await install(first.missing, log);
  signal?.throwIfAborted();
  const { found, missing } = await look(needs);
  if (missing.length > 0)
    throw new StackError('MISSING_PROGRAM', `still missing after the installation: ${names(missing)}`);
  return found as Provided<N>;
}

interface Look {
  readonly found: Readonly<Record<string, unknown>>;
  readonly missing: readonly Need<unknown>[];
}

async function look(needs: Needs): Promise<Look> {
  const found: Record<string, unknown> = {};
  const missing: Need<unknown>[] = [];
  for (const [name, need] of Object.entries(needs)) {
    const it = await need.find();
    if (it === undefined) missing.push(need);
    else found[name] = it;
  }
  return { found, missing };
}

const names = (needs: readonly Need<unknown>[]): string => needs.map(({ what }) => what).join(', ');

/** Servers and disk tools lie where the PATH of an ordinary user does not look. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin'];

/** The program of this name that a shell would run, or one of the system's. */
export function onPath(name: string): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS]) {
    const file = folder === '' ? undefined : executable(join(folder, name));
    if (file !== undefined) return file;
  }
  return undefined;
}

export function executable(file: string): string | undefined {
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return undefined;
  }
}

async function install(missing: readonly Need<unknown>[], log: (line: string) => void): Promise<void> {
  const packages = [...new Set(missing.flatMap((need) => need.packages))];
  const root = process.getuid?.() === 0;
  if (!root || onPath('apt-get') === undefined) throw missingError(missing, packages, root);
  log(`Installing with apt-get, as root: ${packages.join(' ')}`);
  const first = await apt(['install', ...packages]);
  if (first.code === 0) return;
  // Most often the lists are missing or old.
  log('Updating the package lists (apt-get update) ...');
  // One source out of reach fails the update, and yet the others may have all that is wanted.
  await apt(['update']);
  const second = await apt(['install', ...packages]);
  if (second.code !== 0)
    throw new StackError(
      'INSTALL_FAILED',
      `apt-get could not install ${packages.join(' ')}:\n${tail(second.output, 15)}`,
    );
}

/** Not to be interrupted: that would leave packages half installed. */
function apt(args: readonly string[]): ReturnType<typeof run> {
  const options = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return run('apt-get', [...options, ...args], { env });
}

function missingError(
  missing: readonly Need<unknown>[],
  packages: readonly string[],
  root: boolean,
): StackError {
  const why = root ? 'there is no apt-get here to install with' : 'installing needs root';
  return new StackError(
    'MISSING_PROGRAM',
    `missing: ${names(missing)}; ${why}. On Debian and Ubuntu: sudo apt-get install ${packages.join(' ')}`,
  );
}
