// The programs that the stack needs of the system: found, or installed where that is allowed, or asked for by name.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StackError } from './errors.ts';
import { run, tail } from './run.ts';

export const OLDEST_JAVA = 17;

export interface Programs {
  readonly java: string;
  readonly redis: RedisServer;
  /** Only where it was asked for. */
  readonly maven: string | undefined;
}

export interface RedisServer {
  readonly file: string;
  readonly argv0: string;
}

/**
 * Debian has the server's program in redis-tools, under the name of a tool that is the same file; the package
 * redis-server adds a link to it, and a system service, which nobody wants started as a side effect.
 */
const DEBIAN = { java: 'default-jre-headless', redis: 'redis-tools', maven: 'maven' } as const;

type Need = keyof typeof DEBIAN;

const WHAT: Readonly<Record<Need, string>> = {
  java: `Java ${OLDEST_JAVA} or later`,
  redis: 'redis-server',
  maven: 'Maven (mvn), for the first start',
};

export interface FindOptions {
  readonly needMaven: boolean;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export async function findPrograms({ needMaven, log, signal }: FindOptions): Promise<Programs> {
  const first = await look(needMaven);
  if (first.missing.length > 0) await install(first.missing, log);
  signal?.throwIfAborted();
  const { found, missing } = first.missing.length > 0 ? await look(needMaven) : first;
  const { java, redis, maven } = found;
  if (java === undefined || redis === undefined || missing.length > 0)
    throw new StackError(
      'MISSING_PROGRAM',
      `still missing after the installation: ${missing.map((need) => WHAT[need]).join(', ')}`,
    );
  return { java, redis, maven };
}

interface Look {
  readonly found: Partial<Programs>;
  readonly missing: readonly Need[];
}

async function look(needMaven: boolean): Promise<Look> {
  const java = await findJava();
  const redis = findRedis();
  const maven = needMaven ? onPath('mvn') : undefined;
  const missing: Need[] = [];
  if (java === undefined) missing.push('java');
  if (redis === undefined) missing.push('redis');
  if (needMaven && maven === undefined) missing.push('maven');
  return {
    found: { ...(java === undefined ? {} : { java }), ...(redis === undefined ? {} : { redis }), maven },
    missing,
  };
}

async function findJava(): Promise<string | undefined> {
  const home = process.env['JAVA_HOME'];
  for (const file of [home ? executable(join(home, 'bin', 'java')) : undefined, onPath('java')])
    if (file !== undefined && javaMajor((await run(file, ['-version'])).output) >= OLDEST_JAVA) return file;
  return undefined;
}

/** From what `java -version` prints; 0 where that is not understood. Java 8 and before call themselves 1.x. */
export function javaMajor(text: string): number {
  const match = /version "(?:1\.)?(\d+)/.exec(text);
  return Number(match?.[1] ?? 0);
}

/** Undefined where the system has none. */
export function findRedis(): RedisServer | undefined {
  const file = onPath('redis-server') ?? onPath('redis-check-rdb');
  return file === undefined ? undefined : { file, argv0: 'redis-server' };
}

function onPath(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = folder === '' ? undefined : executable(join(folder, name));
    if (file !== undefined) return file;
  }
  return undefined;
}

function executable(file: string): string | undefined {
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return undefined;
  }
}

async function install(missing: readonly Need[], log: (line: string) => void): Promise<void> {
  const packages = missing.map((need) => DEBIAN[need]);
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

function missingError(missing: readonly Need[], packages: readonly string[], root: boolean): StackError {
  const what = missing.map((need) => WHAT[need]).join(', ');
  const why = root ? 'there is no apt-get here to install with' : 'installing needs root';
  return new StackError(
    'MISSING_PROGRAM',
    `missing: ${what}; ${why}. On Debian and Ubuntu: sudo apt-get install ${packages.join(' ')}`,
  );
}
