// Real Redis servers of every kind that an operator may have: with password, with TLS, gone and back.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, redisSettings } from '@alert-throttle/config';
import { redisServer } from '@alert-throttle/test-kit';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectRedis, createRedis, redisFailure } from './client.ts';

let folder: string;
const servers: ChildProcess[] = [];
const clients: Redis[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'alert-throttle-redis-'));
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, ...subject],
    { stdio: 'ignore' },
  );
});
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
  for (const server of servers.splice(0)) server.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true }));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address ? address.port : 0;
}

async function serve(port: number, ...args: readonly string[]): Promise<ChildProcess> {
  const { file, argv0 } = redisServer();
  const own = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', folder];
  const server = spawn(file, [...own, ...args], { argv0 });
  servers.push(server);
  await new Promise<void>((done, failed) => {
    server.on('error', failed);
    server.stdout.on('data', (text: Buffer) => {
      if (text.includes('Ready to accept connections')) done();
    });
  });
  return server;
}

async function serveTls(port: number): Promise<ChildProcess> {
  const files = ['--tls-cert-file', join(folder, 'cert.pem'), '--tls-key-file', join(folder, 'key.pem')];
  return serve(0, '--tls-port', String(port), ...files, '--tls-auth-clients', 'no');
}

const told: string[] = [];
const logger = {
  info: (_fields: object, message: string) => void told.push(message),
  warn: (_fields: object, message: string) => void told.push(message),
};

function client(env: Record<string, string>): Redis {
  const redis = createRedis(loadConfig(redisSettings, { env }), logger);
  clients.push(redis);
  return redis;
}

async function codeOf(env: Record<string, string>): Promise<unknown> {
  const redis = client(env);
  return connectRedis(redis).then(
    async () => redis.ping(),
    (error: unknown) => (error as { code: string }).code,
  );
}

describe('connecting', () => {
  test('given nobody there, then refused', async () => {
    expect(await codeOf({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` })).toBe('REDIS_REFUSED');
  });

  test('given a server that asks for a password, then without, with a wrong and with the right one', async () => {
    const port = await freePort();
    await serve(port, '--requirepass', 'sesame');
    const url = `redis://127.0.0.1:${port}`;
    expect(await codeOf({ REDIS_URL: url })).toBe('REDIS_PASSWORD_NEEDED');
    expect(await codeOf({ REDIS_URL: url, REDIS_PASSWORD: 'wrong' })).toBe('REDIS_PASSWORD_WRONG');
    expect(await codeOf({ REDIS_URL: url, REDIS_USERNAME: 'bob', REDIS_PASSWORD: 'sesame' })).toBe(
      'REDIS_PASSWORD_WRONG',
    );
    expect(await codeOf({ REDIS_URL: url, REDIS_PASSWORD: 'sesame' })).toBe('PONG');
    expect(await codeOf({ REDIS_URL: `redis://default:sesame@127.0.0.1:${port}` })).toBe('PONG');
  });

  test('given a server that talks TLS, then without TLS, without its CA and with it', async () => {
    const port = await freePort();
    await serveTls(port);
    expect(await codeOf({ REDIS_URL: `redis://127.0.0.1:${port}` })).toBe('REDIS_CLOSED');
    expect(await codeOf({ REDIS_URL: `rediss://127.0.0.1:${port}` })).toBe('REDIS_TLS');
    const ca = { REDIS_TLS_CA_FILE: join(folder, 'cert.pem') };
    expect(await codeOf({ REDIS_URL: `rediss://127.0.0.1:${port}`, ...ca })).toBe('PONG');
  });
});

test('given a server that goes and comes back, then commands fail at once with the reason, and then work again', async () => {
  const port = await freePort();
  const server = await serve(port);
  const redis = client({ REDIS_URL: `redis://127.0.0.1:${port}` });
  await connectRedis(redis);
  told.length = 0;
  server.kill('SIGKILL');
  await vi.waitFor(() => expect(told.join()).toContain('refuses'), { timeout: 20_000 });
  const failure = await redis.ping().then(
    () => undefined,
    (error: unknown) => redisFailure(redis, error),
  );
  expect(failure?.code).toBe('REDIS_REFUSED');
  await serve(port);
  await vi.waitFor(async () => expect(await redis.ping()).toBe('PONG'), { timeout: 20_000 });
  expect(told.filter((line) => line.includes('refuses'))).toHaveLength(1);
  expect(told.at(-1)).toContain('is back');
});
