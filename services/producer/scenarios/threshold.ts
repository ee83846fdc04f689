// Runs in the guest: the scenario that KubeArmor documents for its throttling, through the producer. Five executions of two
// forbidden programs in one go, where two alerts a second are let through and then none for a minute.
import { readFileSync, writeFileSync } from 'node:fs';
import { startContainer, until, type Guest } from '@alert-throttle/guest/inside';
import {
  counted,
  end,
  environmentOf,
  errnoOf,
  isAlert,
  LABELS,
  LOG,
  makeFolders,
  metrics,
  POLICIES,
  records,
  startProducer,
} from './producer.ts';

const ID = `${'d'.repeat(63)}4`;
const ONE = '/usr/bin/dynamic';
const OTHER = '/usr/bin/busybox';

const POLICY = `
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: { name: block-tools, namespace: shop }
spec:
  severity: 5
  tags: [NIST, PCI]
  message: no tools
  selector: { matchLabels: { app: web } }
  process:
    matchPaths:
      - { path: ${ONE}, action: Block }
      - { path: ${OTHER}, action: Block }
`;

const LABELS_TEXT = `
containers:
  - match: { id: ${ID.slice(0, 12)} }
    name: web
    namespace: shop
    pod: web-0
    image: docker.io/library/web:1
    labels: { app: web, tier: front }
    owner: { ref: StatefulSet, name: web }
`;

async function thresholds(): Promise<number> {
  const count = /producer_kernel_events_total\{[^}]*type="threshold"[^}]*\} (\d+)/.exec(await metrics())?.[1];
  return Number(count ?? NaN);
}

export default async (guest: Guest): Promise<void> => {
  makeFolders();
  writeFileSync(`${POLICIES}/tools.yaml`, POLICY);
  writeFileSync(LABELS, LABELS_TEXT);
  const container = await startContainer(ID);
  const { child } = await startProducer({
    env: environmentOf({ MAX_ALERT_PER_SEC: '2', THROTTLE_SEC: '60', CLUSTER_NAME: 'c1' }),
    patienceMs: 600_000,
  });
  try {
    const before = await thresholds();
    // In one process, with nobody between them to wait for.
    const tried = await container.child(
      ['exec', ONE],
      ['exec', OTHER],
      ['exec', ONE],
      ['exec', OTHER],
      ['exec', OTHER],
    );
    guest.report('tried', { outcomes: tried.map(errnoOf), counted: counted(container) });
    // The alerts before it are in the spool then, too.
    await until('the threshold event to be read', async () => (await thresholds()) > before);
    guest.report('stopped', { code: await end(child, 'SIGTERM') });
  } finally {
    child.kill('SIGKILL');
    process.stdout.write(readFileSync(LOG, 'utf8'));
  }
  const own = records().filter((one) => !isAlert(one) || one.ContainerID === ID);
  guest.report('records', { own });
};
