import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError } from './errors.ts';
import { limitsSettings, sharedSettings, topicSettings } from './groups.ts';
import { configFile, loadConfig, loadWithOrigins, type Environment } from './load.ts';
import { defineSettings, environmentName } from './settings.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'alert-throttle-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: string | Uint8Array): string {
  const path = join(folder, 'settings.yaml');
  writeFileSync(path, content);
  return path;
}

function refusal(env: Environment, content?: string | Uint8Array): ConfigError {
  try {
    loadConfig(sharedSettings, { env, file: content === undefined ? undefined : fileOf(content) });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the settings were accepted');
}

describe('where a value comes from', () => {
  test('given nothing, then the defaults hold', () => {
    expect(loadConfig(limitsSettings, { env: {} })).toEqual({
      alertThrottling: true,
      maxAlertPerSec: 10,
      throttleSec: 30,
    });
  });

  test('given file and environment, then the environment wins, and both are known', () => {
    const file = fileOf('maxAlertPerSec: 20\nthrottleSec: 40\n');
    const loaded = loadWithOrigins(limitsSettings, { env: { THROTTLE_SEC: '50' }, file });
    expect(loaded.config).toEqual({ alertThrottling: true, maxAlertPerSec: 20, throttleSec: 50 });
    expect(loaded.origins).toEqual({
      alertThrottling: 'default',
      maxAlertPerSec: 'file',
      throttleSec: 'environment',
    });
    expect(loaded.overridden).toEqual({ throttleSec: 40 });
  });

  test.each([
    ['an empty file', ''],
    ['only a comment', '# nothing yet\n'],
    ['an empty document', '---\n'],
  ])('given %s, then the defaults hold', (_what, content) => {
    expect(loadConfig(limitsSettings, { env: {}, file: fileOf(content) }).maxAlertPerSec).toBe(10);
  });

  test('given an empty environment variable, then it counts as not set', () => {
    const file = fileOf('maxAlertPerSec: 20\n');
    const env = { MAX_ALERT_PER_SEC: '', KAFKA_SASL_PASSWORD: '', KAFKA_SASL_PASSWORD_FILE: '' };
    expect(loadConfig(sharedSettings, { env, file }).maxAlertPerSec).toBe(20);
  });

  test('given CONFIG_FILE, then it is read unless a file is named', () => {
    const file = fileOf('maxAlertPerSec: 20\n');
    expect(loadConfig(limitsSettings, { env: { CONFIG_FILE: file } }).maxAlertPerSec).toBe(20);
    expect(configFile('/x/other.yaml', { CONFIG_FILE: file })).toBe('/x/other.yaml');
    expect(configFile('other.yaml', { INIT_CWD: '/home/me' })).toBe('/home/me/other.yaml');
    expect(configFile(undefined, { CONFIG_FILE: '' })).toBeUndefined();
  });

  test('given the texts of a ConfigMap, then they count as what they say', () => {
    const file = fileOf('alertThrottling: "false"\nmaxAlertPerSec: "7"\n');
    expect(loadConfig(limitsSettings, { env: {}, file })).toMatchObject({
      alertThrottling: false,
      maxAlertPerSec: 7,
    });
  });

  test('given keys of other programs that share the file, then they are known', () => {
    expect(loadConfig(limitsSettings, { env: {}, file: fileOf('rawTopic: a\n') }).throttleSec).toBe(30);
  });

  test('given unknown keys that shall be ignored, then they are', () => {
    const file = fileOf('spoolMaxBytes: 1\n');
    const options = { env: {}, file, unknownKeys: 'ignore' } as const;
    expect(loadConfig(limitsSettings, options).throttleSec).toBe(30);
  });
});

describe('what is refused', () => {
  test('given a limit of 0, then the message names key, file, value and range', () => {
    const { message, exitCode, code } = refusal({}, 'maxAlertPerSec: 0\n');
    expect(message).toContain(
      'settings.yaml: maxAlertPerSec: got 0, expected a whole number from 1 to 100000',
    );
    expect({ exitCode, code }).toEqual({ exitCode: 78, code: 'CONFIG_INVALID' });
  });

  test('given several mistakes, then one message names them all', () => {
    const { problems } = refusal(
      { KAFKA_BROKERS: 'nowhere' },
      'throttleSec: -1\nmaxAlertsPerSec: 3\nzzz: 1\n',
    );
    expect(problems.map(({ key }) => key)).toEqual([
      'maxAlertsPerSec',
      'zzz',
      'throttleSec',
      'KAFKA_BROKERS',
    ]);
  });

  test('given an unknown key, then the nearest known one is suggested', () => {
    expect(refusal({}, 'max_alert_per_sec: 3\n').message).toContain('did you mean "maxAlertPerSec"?');
    expect(refusal({}, 'quite_something_else: 3\n').message).not.toContain('did you mean');
  });

  test.each([
    ['MAX_ALERT_PER_SEC', '10.5'],
    ['MAX_ALERT_PER_SEC', '1e3'],
    ['MAX_ALERT_PER_SEC', '100001'],
    ['THROTTLE_SEC', '86401'],
    ['THROTTLE_SEC', ' '],
    ['ALERT_THROTTLING', 'maybe'],
    ['KAFKA_BROKERS', 'host:0'],
    ['KAFKA_BROKERS', ','],
    ['KAFKA_BROKERS', 'http://host:9092'],
    ['SCHEMA_REGISTRY_URL', 'host:8081'],
    ['REDIS_URL', 'http://host'],
    ['RAW_TOPIC', '..'],
    ['RAW_TOPIC', 'a b'],
    ['CONSUMER_GROUP', 'a/b'],
    ['HTTP_PORT', '65536'],
    ['LOG_LEVEL', 'loud'],
  ])('given %s=%j, then it is named', (name, value) => {
    expect(refusal({ [name]: value }).problems.map(({ key }) => key)).toEqual([name]);
  });

  test.each([
    ['a text', 'hello', 'no settings'],
    ['a list', '- a\n', 'found a list'],
    ['an open quote', 'maxAlertPerSec: "1\n', 'line 2, column 1'],
    ['nested mappings', 'a: b: c\n', 'line 1, column 4'],
    ['a key twice', 'throttleSec: 1\nthrottleSec: 2\n', 'line 2, column 1'],
    ['an alias to nothing', 'throttleSec: *x\n', 'alias'],
    ['no value', 'throttleSec:\n', 'throttleSec has no value'],
    ['a map for a number', 'throttleSec: { a: 1 }\n', 'got {"a":1}'],
    ['no UTF-8', new Uint8Array([0xff, 0xfe, 0x00]), 'not UTF-8'],
    ['a large file', 'a'.repeat(1024 * 1024 + 1), 'too many'],
  ])('given a file with %s, then the message says so', (_what, content, expected) => {
    const { message } = refusal({}, content);
    expect(message).toContain(expected);
    expect(message).toContain('settings.yaml');
  });

  test('given a file that is not there, then the message names it', () => {
    const file = join(folder, 'missing.yaml');
    expect(() => loadConfig(limitsSettings, { env: {}, file })).toThrow(`${file}: no such file`);
    expect(() => loadConfig(limitsSettings, { env: {}, file: folder })).toThrow('is a directory');
  });

  test('given a wrong value that the environment overrides, then it is refused all the same', () => {
    expect(refusal({ THROTTLE_SEC: '5' }, 'throttleSec: 0\n').problems).toHaveLength(1);
  });

  test.each([
    [{ RAW_TOPIC: 'a', THROTTLED_TOPIC: 'a' }, 'must differ'],
    [{ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' }, 'KAFKA_SASL_PASSWORD'],
    [{ KAFKA_SASL_USERNAME: 'u' }, 'KAFKA_SASL_MECHANISM'],
    [{ KAFKA_TLS_CA_FILE: '/ca' }, 'KAFKA_TLS=true'],
    [{ KAFKA_TLS: 'true', KAFKA_TLS_CERT_FILE: '/cert' }, 'belong together'],
    [{ REDIS_TLS_CA_FILE: '/ca' }, 'rediss://'],
    [{ SCHEMA_REGISTRY_USERNAME: 'u' }, 'belong together'],
  ])('given settings that do not go together (%j), then the rule is told', (env, expected) => {
    expect(refusal(env).message).toContain(expected);
  });
});

describe('secrets', () => {
  const sasl = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' };

  test('given a file with the password, then its text is used, without the line end', () => {
    const path = join(folder, 'password');
    writeFileSync(path, 'open sesame\n');
    expect(
      loadConfig(sharedSettings, { env: { ...sasl, KAFKA_SASL_PASSWORD_FILE: path } }).kafkaSaslPassword,
    ).toBe('open sesame');
    const file = fileOf(`kafkaSaslPasswordFile: ${path}\n`);
    expect(loadConfig(sharedSettings, { env: sasl, file }).kafkaSaslPassword).toBe('open sesame');
  });

  test('given both, or a file that is not there, then it is refused by name', () => {
    expect(refusal({ ...sasl, KAFKA_SASL_PASSWORD: 'a', KAFKA_SASL_PASSWORD_FILE: '/x' }).message).toContain(
      'set KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE, not both',
    );
    expect(refusal({ ...sasl, KAFKA_SASL_PASSWORD_FILE: '/no/such' }).message).toContain(
      'KAFKA_SASL_PASSWORD_FILE (environment): /no/such: no such file',
    );
  });

  test('given secrets, when the config is printed in any way, then they are not in it', () => {
    const env = { ...sasl, KAFKA_SASL_PASSWORD: 'hunter2', REDIS_URL: 'redis://me:hunter2@host:1' };
    const config = loadConfig(sharedSettings, { env });
    for (const printed of [JSON.stringify(config), inspect(config), inspect({ config }, { depth: 5 })])
      expect(printed).not.toContain('hunter2');
    expect(config.redisUrl).toBe('redis://me:hunter2@host:1');
  });

  test('given wrong values with secrets in them, then the message hides them', () => {
    expect(refusal({ REDIS_URL: 'http://me:hunter2@host' }).message).not.toContain('hunter2');
    expect(refusal({}, 'redisPassword: [hunter2]\n').message).not.toContain('hunter2');
    expect(refusal({}, 'redisPassword: "hunter2\n').message).not.toContain('hunter2');
    expect(refusal({}, 'redisPassword: hunter2: x\n').message).not.toContain('hunter2');
  });
});

describe('the result', () => {
  test('is frozen', () => {
    expect(Object.isFrozen(loadConfig(topicSettings, { env: {} }))).toBe(true);
  });

  test('has lists as lists and words as they are meant', () => {
    const env = { KAFKA_BROKERS: 'a:1, [::1]:2', KAFKA_TLS: 'YES', LOG_FORMAT: 'Pretty' };
    expect(loadConfig(sharedSettings, { env })).toMatchObject({
      kafkaBrokers: ['a:1', '[::1]:2'],
      kafkaTls: true,
      logFormat: 'pretty',
    });
    const file = fileOf('kafkaBrokers: [a:1, b:2]\n');
    expect(loadConfig(sharedSettings, { env: {}, file }).kafkaBrokers).toEqual(['a:1', 'b:2']);
  });

  test('given a setting of its own with any zod type, then it is loaded, and its reason is told', () => {
    const own = defineSettings({
      spoolMaxBytes: { type: z.coerce.number().min(5, 'too small'), default: 9, description: 'x' },
    });
    expect(loadConfig(own, { env: { SPOOL_MAX_BYTES: '7' } }).spoolMaxBytes).toBe(7);
    expect(() => loadConfig(own, { env: { SPOOL_MAX_BYTES: '1' } })).toThrow('too small');
  });
});

test('given a key, then its environment name follows', () => {
  expect(environmentName('maxAlertPerSec')).toBe('MAX_ALERT_PER_SEC');
  expect(environmentName('kafkaTlsCaFile')).toBe('KAFKA_TLS_CA_FILE');
});
