import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { envOf, parseEnv, readEnv, writeEnv } from './env-file.ts';

const env = envOf({ kafka: 9092, controller: 9093, registry: 8081, redis: 6379 });

it('has one KEY=value a line, which a shell can read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'env-file-'));
  const path = join(folder, 'env');
  writeEnv(path, env);
  expect(readFileSync(path, 'utf8')).toBe(
    'KAFKA_BROKERS=127.0.0.1:9092\n' +
      'SCHEMA_REGISTRY_URL=http://127.0.0.1:8081/apis/ccompat/v7\n' +
      'REDIS_URL=redis://127.0.0.1:6379\n',
  );
  expect(readEnv(path)).toEqual(env);
  rmSync(folder, { recursive: true });
  expect(readEnv(path)).toBeUndefined();
});

it('reads values with an equals sign, and passes over comments and other keys', () => {
  const text =
    '# local\nKAFKA_BROKERS=a:1,b:2\nOTHER=x\nSCHEMA_REGISTRY_URL=http://r/?a=b\nREDIS_URL=redis://r\n';
  expect(parseEnv(text)).toEqual({
    KAFKA_BROKERS: 'a:1,b:2',
    SCHEMA_REGISTRY_URL: 'http://r/?a=b',
    REDIS_URL: 'redis://r',
  });
});

it.each(['', 'KAFKA_BROKERS=a:1\n', 'KAFKA_BROKERS=\nSCHEMA_REGISTRY_URL=http://r\nREDIS_URL=redis://r\n'])(
  'is nothing without all three: %j',
  (text) => {
    expect(parseEnv(text)).toBeUndefined();
  },
);
