// The pipeline on a Kafka with TLS, users and ACLs: the rights that SECURITY.md gives are enough, nobody needs more,
// and each way to be refused is told as what it is, without a password in any output.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runService, topicEnv } from '@alert-throttle/test-kit';
import { Scenario } from '@alert-throttle/throttler/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { kubeArmorLine } from './testing/kubearmor-lines.ts';
import {
  addAcls,
  PASSWORDS,
  type SecuredKafka,
  startSecuredKafka,
  type User,
} from './testing/secured-kafka.ts';

const SECURITY = new URL('../../SECURITY.md', import.meta.url);
const LIMITS = { maxAlertPerSec: 4, throttleSec: 2 };
const STARTED = (Date.now() - 60_000) * 1000;

const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-secured-'));
let secured: SecuredKafka;
let scenario: Scenario;
let written = 0;

/** The lines of SECURITY.md, for this scenario's names. */
function acls(): string[] {
  const lines = readFileSync(SECURITY, 'utf8').match(/^ *--add --allow-principal .*$/gm) ?? [];
  const { raw, throttled, deadLetter } = scenario.topics;
  return lines.map((line) =>
    line
      .replaceAll('--group alert-throttle', `--group ${scenario.group}`)
      .replaceAll('--transactional-id alert-throttle/', `--transactional-id ${scenario.group}/`)
      .replaceAll('kubearmor.alerts.throttled', throttled)
      .replaceAll('kubearmor.alerts.dead-letter', deadLetter)
      .replaceAll('kubearmor.alerts', raw),
  );
}

beforeAll(async () => {
  secured = await startSecuredKafka(join(folder, 'pki'));
  const client = secured.kafka.client();
  const kafka = { client, brokers: [secured.sasl], replication: 1 };
  scenario = await Scenario.create({ partitions: 3, limits: LIMITS, kafka });
  for (const line of acls()) await addAcls(secured.kafka, line);
});

afterAll(async () => {
  await scenario.close();
  await secured.kafka.close();
  rmSync(folder, { recursive: true, force: true });
});

function saslEnv(user: User, mechanism: string): Record<string, string> {
  return {
    KAFKA_BROKERS: secured.sasl,
    KAFKA_TLS: 'true',
    KAFKA_TLS_CA_FILE: secured.caFile,
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: user,
    KAFKA_SASL_PASSWORD: PASSWORDS[user],
  };
}

function certificateEnv(user: User, address = secured.mutual): Record<string, string> {
  const { cert, key } = secured.certificateOf(user);
  return {
    KAFKA_BROKERS: address,
    KAFKA_TLS: 'true',
    KAFKA_TLS_CA_FILE: secured.caFile,
    KAFKA_TLS_CERT_FILE: cert,
    KAFKA_TLS_KEY_FILE: key,
  };
}

/** Ten alerts of each of three containers, six of which are too many, and one line that is none. */
async function produce(env: Record<string, string>): Promise<void> {
  const lines = [];
  for (let container = 0; container < 3; container++) {
    for (let index = 0; index < 10; index++) {
      const atMicros = STARTED + written * 10_000_000 + index * 1000 + container;
      lines.push(kubeArmorLine({ container, index, atMicros }));
    }
  }
  written++;
  const file = join(folder, `alerts-${written}.jsonl`);
  writeFileSync(file, `${lines.join('\n')}\n{"Type": "MatchedPolicy"\n`);
  const producer = runService('producer', {
    args: ['--source', 'jsonl', '--file', file],
    env: {
      ...topicEnv(scenario.topics),
      ...env,
      SPOOL_DIR: join(folder, `spool-${written}`),
      NODE_ID: 'node',
    },
  });
  const { code } = await producer.exit();
  expect(code, producer.output).toBe(0);
  expect(producer.output).not.toMatch(/no right|may not see/);
}

describe('given the rights of SECURITY.md', () => {
  test.each([
    ['PLAIN', (user: User) => saslEnv(user, 'plain')],
    ['SCRAM-SHA-256', (user: User) => saslEnv(user, 'scram-sha-256')],
    ['SCRAM-SHA-512', (user: User) => saslEnv(user, 'scram-sha-512')],
    ['client certificates', (user: User) => certificateEnv(user)],
  ])('with %s, then producer and throttler do their work, and nothing is refused', async (_, envOf) => {
    const throttler = scenario.start(envOf('throttler'));
    await produce(envOf('producer'));
    await scenario.agrees();
    expect(await throttler.stop()).toBe(0);
    expect(await scenario.problems()).toEqual([]);
    const told = throttler.log.filter(({ level }) => level === 'warn' || level === 'error');
    expect(told).toEqual([]);
    for (const password of Object.values(PASSWORDS)) {
      expect(throttler.service.output).not.toContain(password);
    }
  });

  test('then a reader may read the throttled topic, and nothing else', async () => {
    const env = { ...topicEnv(scenario.topics), ...saslEnv('reader', 'scram-sha-512') };
    const tail = runService('alertctl', { args: ['tail', '--json', '-b', '-n', '8'], env });
    expect((await tail.exit()).code, tail.output).toBe(0);
    expect(tail.stdout).toContain('AlertThreshold');
    const raw = { ...env, THROTTLED_TOPIC: scenario.topics.raw, RAW_TOPIC: scenario.topics.throttled };
    const refused = runService('alertctl', { args: ['tail', '-b', '-n', '1'], env: raw });
    expect((await refused.exit()).code, refused.output).toBe(1);
    expect(refused.stderr).toContain('none that this user may see');
  });
});

/** Passwords and CA as they should be, and one thing that is not. */
function wrong(user: User, env: Record<string, string | undefined>): Record<string, string | undefined> {
  return { ...saslEnv(user, 'plain'), ...env };
}

const WRONG_PASSWORD = 'a-wrong-password';
const REFUSALS: readonly [string, () => Record<string, string | undefined>, readonly (string | RegExp)[]][] =
  [
    [
      'a wrong password',
      () => wrong('throttler', { KAFKA_SASL_PASSWORD: WRONG_PASSWORD }),
      ['does not accept user, password or mechanism', 'KAFKA_SASL_*'],
    ],
    [
      'a mechanism that the broker does not offer',
      () => certificateEnv('throttler', secured.sasl),
      ['KAFKA_SASL_MECHANISM'],
    ],
    [
      'no CA',
      () => wrong('throttler', { KAFKA_TLS_CA_FILE: undefined }),
      ['TLS with Kafka', 'KAFKA_TLS_CA_FILE'],
    ],
    [
      'no TLS',
      () => wrong('throttler', { KAFKA_TLS: undefined, KAFKA_TLS_CA_FILE: undefined }),
      [/Kafka at .*(closes the connection|does not answer)/, 'KAFKA_TLS'],
    ],
    [
      'no certificate',
      () => ({ KAFKA_BROKERS: secured.mutual, KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: secured.caFile }),
      ['TLS with Kafka', /certificate/],
    ],
    ['no right', () => wrong('reader', {}), ['does not permit this to the user', 'authorized']],
  ];

describe('who may not is told so by the throttler', () => {
  test.each(REFUSALS)('%s', async (_, envOf, reasons) => {
    const throttler = scenario.start(envOf());
    for (const reason of reasons) await throttler.service.printed(reason);
    expect(await throttler.stop()).toBe(0);
    expect(throttler.service.output).not.toContain(WRONG_PASSWORD);
  });
});

describe('who may not is told so by the producer, which keeps its alerts', () => {
  test.each(REFUSALS)('%s', async (_, envOf, reasons) => {
    const spool = join(folder, 'spool-of-the-refused');
    const producer = runService('producer', {
      args: ['--source', 'jsonl', '--file', '-'],
      input: `${kubeArmorLine({ container: 1, index: 0, atMicros: STARTED })}\n`,
      env: { ...topicEnv(scenario.topics), ...envOf(), SPOOL_DIR: spool, NODE_ID: 'node' },
    });
    for (const reason of reasons) await producer.printed(reason);
    await producer.stop();
    expect(producer.output).not.toContain(WRONG_PASSWORD);
    rmSync(spool, { recursive: true });
  });
});
