import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, redisSettings, type Environment } from '@alert-throttle/config';
import { describe, expect, test } from 'vitest';
import { redisOptions, type RedisOptions } from './client.ts';
import { explained } from './errors.ts';

function options(env: Environment): RedisOptions {
  return redisOptions(loadConfig(redisSettings, { env }));
}

describe('redisOptions', () => {
  test('given the default, then it is the local Redis, without user and TLS', () => {
    const { host, port, db, username, password, tls } = options({});
    expect({ host, port, db, username, password, tls }).toEqual({ host: '127.0.0.1', port: 6379, db: 0 });
  });

  test('given a URL with everything, then each part counts, decoded', () => {
    expect(options({ REDIS_URL: 'rediss://m%40e:p%2Fw@[::1]:7000/3' })).toMatchObject({
      host: '::1',
      port: 7000,
      db: 3,
      username: 'm@e',
      password: 'p/w',
      tls: {},
    });
  });

  test('given user and password of their own, then they win over the URL', () => {
    const env = { REDIS_URL: 'redis://a:b@h', REDIS_USERNAME: 'c', REDIS_PASSWORD: 'd' };
    expect(options(env)).toMatchObject({ username: 'c', password: 'd' });
  });

  test('given a CA file, then it is read, and one that is not there is refused by name', () => {
    const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-redis-'));
    writeFileSync(join(folder, 'ca.pem'), 'PEM');
    const env = { REDIS_URL: 'rediss://h', REDIS_TLS_CA_FILE: join(folder, 'ca.pem') };
    expect(options(env).tls).toEqual({ ca: 'PEM' });
    rmSync(folder, { recursive: true });
    expect(() => options(env)).toThrow('REDIS_TLS_CA_FILE');
  });

  test('given a path that is no number of a database, then it is refused', () => {
    expect(() => options({ REDIS_URL: 'redis://h/x' })).toThrow('number of a database');
  });
});

describe('explained', () => {
  const system = (code: string, message = code): Error => Object.assign(new Error(message), { code });

  test.each([
    [system('ECONNREFUSED'), 'REDIS_REFUSED'],
    [system('ENOTFOUND'), 'REDIS_UNREACHABLE'],
    [system('ETIMEDOUT'), 'REDIS_NO_ANSWER'],
    [new Error('Command timed out'), 'REDIS_NO_ANSWER'],
    [system('ECONNRESET'), 'REDIS_CLOSED'],
    [new Error('Connection is closed.'), 'REDIS_CLOSED'],
    [new Error('NOAUTH Authentication required.'), 'REDIS_PASSWORD_NEEDED'],
    [new Error('WRONGPASS invalid username-password pair or user is disabled.'), 'REDIS_PASSWORD_WRONG'],
    [new Error("NOPERM this user has no permissions to run the 'get' command"), 'REDIS_NOT_PERMITTED'],
    [new Error("ERR The user executing the script can't run this command script: 1"), 'REDIS_NOT_PERMITTED'],
    [system('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'), 'REDIS_TLS'],
    [system('ERR_SSL_WRONG_VERSION_NUMBER', 'SSL routines::wrong version number'), 'REDIS_TLS'],
    [new Error('OOM command not allowed'), 'REDIS_ANSWERED_ERROR'],
  ])('given %s, then it is told as %s, with the address', (error, code) => {
    const told = explained(error, 'host:1');
    expect(told.code).toBe(code);
    expect(told.message).toContain('host:1');
    expect(told.cause).toBe(error);
  });
});
