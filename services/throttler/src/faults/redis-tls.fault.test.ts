// A shared Redis as SECURITY.md has it: TLS, and a user who may touch our keys alone, by the commands needed. The
// throttler needs no other right, also where it must replace a checkpoint, and has no other.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { freePort, OwnRedis } from '../testing/own-redis.ts';
import { seedOf } from '../testing/random.ts';
import { RedisTrouble } from '../testing/redis-trouble.ts';

const seed = seedOf('FAULT_SEED');
const SECURITY = new URL('../../../../SECURITY.md', import.meta.url);
/** As an operator would type it, password and all. */
const RIGHTS = /^ *ACL SETUSER (throttler on >PASSWORD .*)$/m.exec(readFileSync(SECURITY, 'utf8'))?.[1] ?? '';

const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-tls-'));
let redis: OwnRedis;
let trouble: RedisTrouble;
let env: Record<string, string>;

beforeAll(async () => {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', certificate];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, ...subject];
  execFileSync('openssl', request, { stdio: 'ignore' });
  const port = String(await freePort());
  const tls = ['--tls-port', port, '--tls-cert-file', certificate, '--tls-key-file', key];
  redis = await OwnRedis.start(...tls, '--tls-auth-clients', 'no', '--requirepass', 'of-the-owner');
  redis.password = 'of-the-owner';
  env = {
    REDIS_URL: `rediss://127.0.0.1:${port}`,
    REDIS_TLS_CA_FILE: certificate,
    REDIS_USERNAME: 'throttler',
    REDIS_PASSWORD: 'PASSWORD',
  };
});
afterAll(async () => {
  await trouble.close();
  await redis.close();
  rmSync(folder, { recursive: true });
});

test(
  'given TLS and the rights that SECURITY.md gives, then nothing is missing',
  { timeout: 180_000 },
  async () => {
    await redis.command('ACL', 'SETUSER', ...RIGHTS.split(' '));
    trouble = await RedisTrouble.begin({ redis, seed, env });
    expect(String(await redis.command('CLIENT', 'LIST'))).toMatch(/user=throttler/);
    // Emptied, gone on from in another process, cut and locked for a while.
    await redis.command('FLUSHALL');
    await trouble.saysNext('Redis holds another state');
    const offset = await trouble.checkpointsBeyond(0);
    await trouble.checkpointsBeyond(offset);
    await trouble.killAndStart();
    expect(await trouble.run.metric('claims_total', 'how="checkpoint"')).toBe(2);
    expect(trouble.run.logged('DEGRADED')).toEqual([]);
    const refused = (await redis.command('ACL', 'LOG')) as unknown[];
    expect(refused, JSON.stringify(refused)).toEqual([]);
    await redis.command('ACL', 'SETUSER', 'throttler', 'off');
    await redis.cutAll();
    await trouble.degraded();
    await redis.command('ACL', 'SETUSER', 'throttler', 'on');
    await trouble.recovered();
    await trouble.settled(4);
  },
);
