// Runs in the guest, whose kernel asks no BPF programs: the producer with SOURCE=kernel finds AppArmor by itself, and keeps
// profiles for its containers.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import type { Alert } from '@alert-throttle/alert';
import { confinementOf, enforcedProfiles } from '@alert-throttle/apparmor';
import { startContainer, until, type Container, type Guest, type Reply } from '@alert-throttle/guest/inside';
import { decodeVersion, newestVersion } from '../src/adapters/alert-schemas.ts';
import { openSqliteSpool } from '../src/adapters/sqlite-spool.ts';

const SPOOL = '/run/producer/spool';
const POLICIES = '/run/producer/policies';
const LABELS = '/run/producer/labels.yaml';
const LOG = '/run/producer/log';
const PORT = '9466';
const PATIENCE_MS = 900_000;

const STRAY = `${'a'.repeat(63)}1`;
const CONFINED = `${'b'.repeat(63)}2`;
const PROFILE = 'kubearmor-shop-web-web';
const FILES = { '/etc/secret': 's', '/etc/watched': 'w', '/etc/free': 'f' };

function policy(secretAction: string, more = ''): string {
  return `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: { name: guard-web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  file:
    matchPaths:
      - { path: /etc/secret, action: ${secretAction} }
      - { path: /etc/watched, action: Audit }
  process:
    matchPaths:
      - { path: /bin/dynamic, action: Block }
${more}`;
}

const TCP = '  network:\n    matchProtocols:\n      - { protocol: tcp, action: Block }\n';

const LABELS_TEXT = [STRAY, CONFINED]
  .map(
    (id, index) => `
  - match: { id: ${id.slice(0, 12)} }
    name: web
    namespace: shop
    pod: web-${index}
    labels: { app: web }
    owner: { ref: StatefulSet, name: web }`,
  )
  .join('');

const environment = {
  ...process.env,
  POLICY_DIR: POLICIES,
  LABELS_FILE: LABELS,
  SPOOL_DIR: SPOOL,
  KAFKA_BROKERS: '127.0.0.1:1',
  HTTP_PORT: PORT,
  SHUTDOWN_TIMEOUT_SEC: '0',
  NODE_ID: 'guest',
};

interface KernelState {
  readonly armed: boolean;
  readonly disarmed: Readonly<Record<string, string>>;
  readonly containers: number;
  readonly unconfined: Readonly<Record<string, string>>;
}

async function startProducer(): Promise<{ child: ChildProcess; state: KernelState }> {
  const log = openSync(LOG, 'a');
  const args = ['/w/services/producer/src/main.ts', '--source', 'kernel'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log], env: environment });
  const tested = async (): Promise<KernelState | undefined> => {
    if (child.exitCode !== null) throw new Error(`the producer ended: ${readFileSync(LOG, 'utf8')}`);
    const state = await kernelState();
    return state && (state.armed || Object.keys(state.disarmed).length > 0) ? state : undefined;
  };
  try {
    return { child, state: await until('the first self-test', tested, PATIENCE_MS) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function kernelState(): Promise<KernelState | undefined> {
  const response = await fetch(`http://127.0.0.1:${PORT}/readyz`).catch(() => undefined);
  return response && ((await response.json()) as { kernel?: KernelState }).kernel;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  await until('the producer to end', () => child.exitCode !== null || child.signalCode !== null);
  return child.exitCode;
}

async function metric(name: string): Promise<string | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${PORT}/metrics`)).text();
  return text
    .split('\n')
    .find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    ?.split(' ')
    .at(-1);
}

/** As the spool has them: only while no producer runs. */
function alerts(): Alert[] {
  const limits = { maxRecords: 1_000_000, maxBytes: 1 << 30 };
  const { maxBytes } = limits;
  const spool = openSqliteSpool({ dir: SPOOL, maxBytes, schemaVersion: newestVersion, nowMs: () => 0 });
  try {
    return spool
      .read(limits)
      .flatMap(({ kind, value, schemaVersion }) =>
        kind === 'tombstone' ? [] : [decodeVersion(Buffer.from(value ?? []), schemaVersion)],
      );
  } finally {
    spool.close();
  }
}

function errnoOf({ error }: Reply): string {
  return error === '' ? 'ok' : error;
}

async function tryAll(container: Container): Promise<Record<string, string>> {
  return {
    secret: errnoOf(await container.do('open', '/etc/secret', 'r')),
    watched: errnoOf(await container.do('open', '/etc/watched', 'r')),
    free: errnoOf(await container.do('open', '/etc/free', 'r')),
    dynamic: errnoOf(await container.do('exec', '/usr/bin/dynamic', '--help')),
  };
}

async function untilSecret(container: Container, expected: string): Promise<string> {
  return until(`the secret to be ${expected}`, async () => {
    const now = errnoOf(await container.do('open', '/etc/secret', 'r'));
    return now === expected && now;
  });
}

async function untilLogged(text: string): Promise<void> {
  await until(`the log to say: ${text}`, () => readFileSync(LOG, 'utf8').includes(text), PATIENCE_MS);
}

export default async (guest: Guest): Promise<void> => {
  for (const folder of [SPOOL, POLICIES]) mkdirSync(folder, { recursive: true });
  writeFileSync(`${POLICIES}/web.yaml`, policy('Block'));
  writeFileSync(LABELS, `containers:${LABELS_TEXT}\n`);
  // Nobody told its runtime of the profile.
  const stray = await startContainer(STRAY, { files: FILES });
  let producer: ChildProcess | undefined;
  try {
    const first = await startProducer();
    producer = first.child;
    guest.report('started', { ...first.state, profile: enforcedProfiles().has(PROFILE) });
    const confined = await startContainer(CONFINED, {
      files: FILES,
      apparmorProfile: PROFILE,
      beforeStart: async () => {
        await until('the new container to be seen', async () => (await kernelState())?.containers === 2);
      },
    });
    guest.report('under its profile', await tryAll(confined));
    guest.report('under none', await tryAll(stray));
    await until('the stray container to be named', async () => {
      const unconfined = (await kernelState())?.unconfined ?? {};
      return STRAY in unconfined;
    });
    guest.report('named', {
      unconfined: (await kernelState())?.unconfined,
      metric: await metric('alert_throttle_producer_kernel_containers_unconfined'),
    });

    writeFileSync(`${POLICIES}/web.yaml`, policy('Block', TCP));
    await untilLogged('AppArmor cannot enforce this');
    guest.report('with a policy that no profile can say', {
      secret: errnoOf(await confined.do('open', '/etc/secret', 'r')),
    });
    writeFileSync(`${POLICIES}/web.yaml`, policy('Audit'));
    guest.report('with another policy', { secret: await untilSecret(confined, 'ok') });
    writeFileSync(`${POLICIES}/web.yaml`, policy('Block'));
    guest.report('with the first policy', { secret: await untilSecret(confined, 'EACCES') });

    await end(producer, 'SIGKILL');
    guest.report('without a producer', await tryAll(confined));
    const second = await startProducer();
    producer = second.child;
    guest.report('started again', { ...second.state, confinement: confinementOf(confined.pid) });
    guest.report('after the restart', await tryAll(confined));
    await confined.stop();
    await stray.stop();
    await until('the containers to be forgotten', async () => (await kernelState())?.containers === 0);
    guest.report('stopped', { code: await end(producer, 'SIGTERM') });
  } finally {
    producer?.kill('SIGKILL');
    process.stdout.write(readFileSync(LOG, 'utf8'));
  }
  const all = alerts();
  const of = (id: string): string[] =>
    all
      .filter(({ ContainerID, Type }) => ContainerID === id && Type === 'MatchedPolicy')
      .map(({ Operation, Action, Enforcer, Result, Resource }) =>
        [Action, Operation, Resource, Enforcer, Result].join(' '),
      );
  guest.report('alerts', {
    confined: [...new Set(of(CONFINED))].sort(),
    stray: [...new Set(of(STRAY))].sort(),
    warnings: all
      .filter(({ Operation }) => Operation === 'PolicyWarning')
      .map(({ ContainerID, Message }) => `${ContainerID.slice(0, 1)} ${Message}`),
    lost: all.filter(({ Operation }) => Operation === 'AlertsLost').length,
  });
};
