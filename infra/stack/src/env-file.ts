// The three addresses that everything else needs of the stack, as a file that shells and programs can read.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { HOST, type Ports } from './ports.ts';

export interface StackEnv {
  readonly KAFKA_BROKERS: string;
  readonly SCHEMA_REGISTRY_URL: string;
  readonly REDIS_URL: string;
}

export function envOf(ports: Ports): StackEnv {
  return {
    KAFKA_BROKERS: `${HOST}:${ports.kafka}`,
    SCHEMA_REGISTRY_URL: `http://${HOST}:${ports.registry}/apis/ccompat/v7`,
    REDIS_URL: `redis://${HOST}:${ports.redis}`,
  };
}

export function formatEnv(env: StackEnv): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${String(value)}\n`)
    .join('');
}

/** Undefined unless all three are there. */
export function parseEnv(text: string): StackEnv | undefined {
  const values = new Map(
    text
      .split('\n')
      .filter((line) => line.includes('=') && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]),
  );
  const KAFKA_BROKERS = values.get('KAFKA_BROKERS');
  const SCHEMA_REGISTRY_URL = values.get('SCHEMA_REGISTRY_URL');
  const REDIS_URL = values.get('REDIS_URL');
  if (!KAFKA_BROKERS || !SCHEMA_REGISTRY_URL || !REDIS_URL) return undefined;
  return { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL };
}

export function readEnv(path: string): StackEnv | undefined {
  return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : undefined;
}

export function writeEnv(path: string, env: StackEnv): void {
  writeFileSync(`${path}.new`, formatEnv(env));
  renameSync(`${path}.new`, path);
}
