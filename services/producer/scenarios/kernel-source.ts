// Runs in the guest: the producer with SOURCE=kernel as a user starts it, containers that break their policies, and what
// of it lies in the spool, as there is no Kafka here. What it reports is asserted in kernel-source.kernel.test.ts.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, openSync } from 'node:fs';
import type { Alert } from '@alert-throttle/alert';
import { startContainer, until, type Container, type Guest } from '@alert-throttle/guest/inside';
import { decodeVersion } from '../src/adapters/alert-schemas.ts';
import { openSqliteSpool } from '../src/adapters/sqlite-spool.ts';
import { newestVersion } from '../src/adapters/alert-schemas.ts';

const SPOOL = '/run/producer/spool';
const POLICIES = '/run/producer/policies';
const LABELS = '/run/producer/labels.yaml';
const LOG = '/run/producer/log';
const PORT = '9465';

const WEB = 'a'.repeat(63) + '1';

const POLICY = `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: { name: guard-web, namespace: shop }
spec:
  severity: 7
  tags: [NIST, PCI]
  message: hands off
  selector: { matchLabels: { app: web } }
  file:
    matchPaths:
      - path: /etc/secret
        action: Block
      - path: /etc/watched
        action: Audit
  process:
    matchPaths:
      - path: /bin/dynamic
        action: Block
      - path: /bin/cat
        action: Block
`;

const LABELS_TEXT = `
containers:
  - match: { id: ${WEB.slice(0, 12)} }
    name: web
    namespace: shop
    pod: web-0
    image: docker.io/library/web:1
    labels: { app: web, tier: front }
    owner: { ref: StatefulSet, name: web }
`;

function startProducer(): ChildProcess {
  const log = openSync(LOG, 'a');
  return spawn(process.execPath, ['/w/services/producer/src/main.ts', '--source', 'kernel'], {
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      POLICY_DIR: POLICIES,
      LABELS_FILE: LABELS,
      SPOOL_DIR: SPOOL,
      KAFKA_BROKERS: '127.0.0.1:1',
      HTTP_PORT: PORT,
      MAX_ALERT_PER_SEC: '5',
      THROTTLE_SEC: '2',
      SHUTDOWN_TIMEOUT_SEC: '0',
      NODE_ID: 'guest',
    },
  });
}

async function stopProducer(child: ChildProcess): Promise<number | null> {
  child.kill('SIGTERM');
  await until('the producer to end', () => child.exitCode !== null || child.signalCode !== null);
  return child.exitCode;
}

interface Ready {
  readonly ok: boolean;
  readonly kernel?: { readonly armed: boolean; readonly armedKinds: string[]; readonly disarmed: object; readonly containers: number };
}

async function ready(): Promise<Ready | undefined> {
  const response = await fetch(`http://127.0.0.1:${PORT}/readyz`).catch(() => undefined);
  return response === undefined ? undefined : ((await response.json()) as Ready);
}

function records(): (Alert | { tombstone: string })[] {
  const spool = openSqliteSpool({ dir: SPOOL, maxBytes: 1 << 30, schemaVersion: newestVersion, nowMs: () => 0 });
  try {
    return spool
      .read({ maxRecords: 1_000_000, maxBytes: 1 << 30 })
      .map(({ kind, key, value, schemaVersion }) =>
        kind === 'tombstone' ? { tombstone: key } : decodeVersion(Buffer.from(value ?? []), schemaVersion),
      );
  } finally {
    spool.close();
  }
}

export default async (guest: Guest): Promise<void> => {
  for (const folder of [SPOOL, POLICIES]) mkdirSync(folder, { recursive: true });
  writeFileSync(`${POLICIES}/web.yaml`, POLICY);
  writeFileSync(LABELS, LABELS_TEXT);
  const files = { '/etc/secret': 's', '/etc/watched': 'w', '/etc/free': 'f' };
  const web: Container = await startContainer(WEB, { root: 'tmpfs', files });
  const producer = startProducer();
  try {
    const first = await until('the producer to be tested', async () => {
      if (producer.exitCode !== null) throw new Error(`the producer ended: ${readFileSync(LOG, 'utf8')}`);
      const state = await ready();
      const kernel = state?.kernel;
      return kernel !== undefined && (kernel.armed || Object.keys(kernel.disarmed).length > 0) ? kernel : undefined;
    }, 240_000);
    guest.report('tested', first);
    guest.report('in the container', {
      secret: await web.do('open', '/etc/secret', 'r'),
      watched: await web.do('open', '/etc/watched', 'r'),
      free: await web.do('open', '/etc/free', 'r'),
      dynamic: await web.do('exec', '/usr/bin/dynamic', '--help'),
    });
    guest.report('flood', { replies: await web.do('hammer', 50, 'open', '/etc/secret', 'r') });
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await web.stop();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    guest.report('code', { code: await stopProducer(producer) });
  } finally {
    producer.kill('SIGKILL');
    process.stdout.write(readFileSync(LOG, 'utf8'));
  }
  for (const record of records()) process.stdout.write(`${JSON.stringify(record)}\n`);
};
