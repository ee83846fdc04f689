// Runs in the guest: the producer with exactly the capabilities that the documentation names, and without each of them. What
// it says then, and whether all that it does in a container works, is asserted in privileges.kernel.test.ts.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { startContainer, until, type Guest } from '@alert-throttle/guest/inside';

export const NEEDED = ['bpf', 'perfmon', 'sys_ptrace', 'dac_read_search'] as const;

const PRODUCER = '/run/producer';
const POLICIES = `${PRODUCER}/policies`;
const LABELS = `${PRODUCER}/labels.yaml`;
const LOG = `${PRODUCER}/log`;
const PORT = '9465';
const ID = `${'a'.repeat(63)}1`;
/** A producer needs most of a minute to begin here: Node reads its modules with an emulated processor. */
const PATIENCE_MS = 600_000;

/** The link lies in a folder that only its owner may search, who is not root. */
const POLICY = `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: { name: guard, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  file: { matchPaths: [{ path: /etc/secret }, { path: /home/user/current/key }] }
  action: Block
`;
const CONTAINER = `containers:
  - { match: { id: ${ID.slice(0, 12)} }, name: web, namespace: shop, pod: web, labels: { app: web } }
`;

const environment = {
  ...process.env,
  POLICY_DIR: POLICIES,
  LABELS_FILE: LABELS,
  SPOOL_DIR: `${PRODUCER}/spool`,
  KAFKA_BROKERS: '127.0.0.1:1',
  HTTP_PORT: PORT,
  SHUTDOWN_TIMEOUT_SEC: '0',
  NODE_ID: 'guest',
};

function commandWith(capabilities: readonly string[]): [string, string[]] {
  const bounding = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  return [
    'setpriv',
    [
      `--bounding-set=${bounding}`,
      process.execPath,
      '/w/services/producer/src/main.ts',
      '--source',
      'kernel',
    ],
  ];
}

interface State {
  readonly armed: boolean;
  readonly armedKinds: readonly string[];
  readonly disarmed: Readonly<Record<string, string>>;
}

async function stateOf(child: ChildProcess): Promise<State | undefined> {
  if (child.exitCode !== null) throw new Error(`the producer ended: ${readFileSync(LOG, 'utf8')}`);
  const response = await fetch(`http://127.0.0.1:${PORT}/readyz`).catch(() => undefined);
  const state = response && ((await response.json()) as { kernel?: State }).kernel;
  return state && (state.armed || Object.keys(state.disarmed).length > 0) ? state : undefined;
}

export default async (guest: Guest): Promise<void> => {
  for (const folder of [`${PRODUCER}/spool`, POLICIES]) mkdirSync(folder, { recursive: true });
  writeFileSync(`${POLICIES}/guard.yaml`, POLICY);
  writeFileSync(LABELS, CONTAINER);
  for (const one of NEEDED) {
    const [file, args] = commandWith(NEEDED.filter((name) => name !== one));
    const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', env: environment });
    guest.report('without', { one, status, named: (stdout + stderr).includes(`CAP_${one.toUpperCase()}`) });
  }
  await withAll(guest);
};

async function withAll(guest: Guest): Promise<void> {
  const container = await startContainer(ID, {
    files: { '/etc/secret': 's', '/home/user/v1/key': 'k', '/etc/free': 'f' },
  });
  await container.do('symlink', 'v1', '/home/user/current');
  await container.do('chown', '/home/user', 1000, 1000);
  await container.do('chmod', '/home/user', '700');
  const log = openSync(LOG, 'a');
  const [file, args] = commandWith(NEEDED);
  const child = spawn(file, args, { stdio: ['ignore', log, log], env: environment });
  try {
    const { armed, armedKinds, disarmed } = await until('the self-test', () => stateOf(child), PATIENCE_MS);
    const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(
      readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8'),
    )?.[1];
    const tried: Record<string, string> = {};
    for (const path of ['/etc/secret', '/home/user/current/key', '/home/user/v1/key', '/etc/free'])
      tried[path] = (await container.do('open', path, 'r')).error;
    guest.report('with all', { armed, armedKinds, disarmed, capabilities, tried });
  } finally {
    child.kill('SIGKILL');
    process.stdout.write(readFileSync(LOG, 'utf8'));
  }
  await container.stop();
}
