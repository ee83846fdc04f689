// The programs that the stack needs of the system.
import { join } from 'node:path';
import { executable, onPath, provide, type Need, type ProvideOptions } from './provide.ts';
import { run } from './run.ts';

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

const java: Need<string> = {
  what: `Java ${OLDEST_JAVA} or later`,
  packages: ['default-jre-headless'],
  find: findJava,
};

/**
 * Debian has the server's program in redis-tools, under the name of a tool that is the same file; the package
 * redis-server adds a link to it, and a system service, which nobody wants started as a side effect.
 */
const redis: Need<RedisServer> = { what: 'redis-server', packages: ['redis-tools'], find: findRedis };

const maven: Need<string> = {
  what: 'Maven (mvn), for the first start',
  packages: ['maven'],
  find: () => onPath('mvn'),
};

export interface FindOptions extends ProvideOptions {
  readonly needMaven: boolean;
}

export async function findPrograms({ needMaven, ...options }: FindOptions): Promise<Programs> {
  if (needMaven) return await provide({ java, redis, maven }, options);
  return { ...(await provide({ java, redis }, options)), maven: undefined };
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
