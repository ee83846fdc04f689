// Runs in the guest: the producer with SOURCE=kernel as a user starts it, containers that break their policies, a kill, and
// what of all this lies in the spool, as there is no Kafka here. Its reports are asserted in kernel-source.kernel.test.ts.
import { spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '@alert-throttle/alert';
import { CGROUPS, startContainer, until, type Container, type Guest } from '@alert-throttle/guest/inside';
import { Cgroups } from '../src/kernel/adapters/cgroups.ts';
import { Freezer } from '../src/kernel/adapters/freezer.ts';
import {
  counted,
  end,
  environmentOf,
  errnoOf,
  isAlert,
  kernelState,
  LABELS,
  LOG,
  makeFolders,
  metrics,
  POLICIES,
  records,
  SPOOL,
  startProducer,
  type Stored,
  tryFiles,
  untilSecret,
} from './producer.ts';

/** A producer needs most of a minute to begin here: Node reads its modules with an emulated processor. */
const PATIENCE_MS = 600_000;

const OLD = `${'a'.repeat(63)}1`;
const NEW = `${'b'.repeat(63)}2`;
/** Tries all the time while the producer starts again. */
const STEADY = `${'c'.repeat(63)}3`;
const FILES = { '/etc/secret': 's', '/etc/watched': 'w', '/etc/free': 'f' };

function policy(secretAction: string): string {
  return `
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
      - { path: /etc/secret, action: ${secretAction} }
      - { path: /etc/watched, action: Audit }
  process:
    matchPaths:
      - { path: /bin/dynamic, action: Block }
      - { path: /bin/cat, action: Block }
  network:
    matchProtocols:
      - { protocol: udp, action: Block }
`;
}

const LABELS_TEXT = [OLD, NEW, STEADY]
  .map(
    (id, index) => `
  - match: { id: ${id.slice(0, 12)} }
    name: web
    namespace: shop
    pod: web-${index}
    image: docker.io/library/web:1
    labels: { app: web, tier: front }
    owner: { ref: StatefulSet, name: web }`,
  )
  .join('');

const environment = environmentOf({ MAX_ALERT_PER_SEC: '5', THROTTLE_SEC: '2', ENFORCER_GATE: 'on' });

/** As a producer leaves it that is killed while it holds a container. */
function freeze({ cgroup }: Container): () => string {
  const freezer = new Freezer(new Cgroups(CGROUPS), `${SPOOL}/frozen`);
  if (!freezer.freeze(cgroup.id, cgroup.path.slice(CGROUPS.length))) throw new Error('it cannot be frozen');
  return () => readFileSync(`${cgroup.path}/cgroup.freeze`, 'utf8').trim();
}

function alertctl(...args: string[]): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['/w/packages/alertctl/src/main.ts', ...args],
    { encoding: 'utf8', env: environment },
  );
  return { status, out: stdout + stderr };
}

async function tryAll(container: Container): Promise<Record<string, string>> {
  return {
    ...(await tryFiles(container)),
    udp: errnoOf(await container.do('socket', 'inet', 'dgram', '0')),
  };
}

/** One try after the other for as long as the work lasts: what each came to. */
async function tryingDuring<T>(
  container: Container,
  work: Promise<T>,
): Promise<{ result: T; outcomes: Record<string, number> }> {
  const outcomes: Record<string, number> = {};
  const over = work.then(
    () => true,
    () => true,
  );
  do {
    const outcome = errnoOf(await container.do('open', '/etc/secret', 'r'));
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  } while (!(await Promise.race([over, sleep(5, false)])));
  return { result: await work, outcomes };
}

export default async (guest: Guest): Promise<void> => {
  makeFolders();
  writeFileSync(`${POLICIES}/web.yaml`, policy('Block'));
  writeFileSync(LABELS, `containers:${LABELS_TEXT}\n`);
  const old = await startContainer(OLD, { files: FILES });
  const steady = await startContainer(STEADY, { files: FILES });
  let producer: ChildProcess | undefined;
  try {
    const first = await startProducer({ env: environment, patienceMs: PATIENCE_MS });
    producer = first.child;
    guest.report('started', { ...first.state });
    guest.report('container that was there', await tryAll(old));
    guest.report('flood', { ...(await old.do('hammer', 50, 'open', '/etc/secret', 'r')) });

    // As with a runtime, which makes a container some time before it starts it.
    const fresh = await startContainer(NEW, {
      files: FILES,
      beforeStart: async () => {
        await until('the new container to be held, and let go', async () =>
          /producer_kernel_gate_seconds_count\{[^}]*outcome="in force"[^}]*\} 1$/m.test(await metrics()),
        );
      },
    });
    guest.report('new container', await tryAll(fresh));

    writeFileSync(`${POLICIES}/web.yaml`, 'kind: KubeArmorPolicy\nspec: [');
    await until('the broken file to be noticed', () =>
      readFileSync(LOG, 'utf8').includes('what it said last stays in force'),
    );
    guest.report('with a broken policy', { secret: errnoOf(await fresh.do('open', '/etc/secret', 'r')) });
    writeFileSync(`${POLICIES}/web.yaml`, policy('Audit'));
    guest.report('with another policy', { secret: await untilSecret(fresh, 'ok') });
    writeFileSync(`${POLICIES}/web.yaml`, policy('Block'));
    guest.report('with the first policy', { secret: await untilSecret(fresh, 'EACCES') });
    guest.report('alertctl', alertctl('kernel'));

    await end(producer, 'SIGKILL');
    guest.report('without a producer', await tryAll(fresh));
    await old.stop();
    const frozen = freeze(fresh);
    const before = frozen();
    const { result: second, outcomes } = await tryingDuring(
      steady,
      startProducer({ env: environment, patienceMs: PATIENCE_MS }),
    );
    producer = second.child;
    guest.report('left frozen by a kill', { before, after: frozen() });
    guest.report('started again', { ...second.state });
    guest.report('while it started again', { outcomes, counted: counted(steady) });
    for (const one of [fresh, steady]) await one.stop();
    await until('the containers to be forgotten', async () => (await kernelState())?.containers === 0);
    guest.report('stopped', { code: await end(producer, 'SIGTERM') });
    guest.report('detached', { ...alertctl('kernel', 'detach') });
  } finally {
    producer?.kill('SIGKILL');
    process.stdout.write(readFileSync(LOG, 'utf8'));
  }
  report(guest, records());
};

function report(guest: Guest, stored: readonly Stored[]): void {
  const alerts = stored.filter(isAlert);
  const keyOf = (record: Stored): string => ('tombstone' in record ? record.tombstone : record.ContainerID);
  const of = (id: string, operation: string): Alert[] =>
    alerts.filter(({ ContainerID, Operation }) => ContainerID === id && Operation === operation);
  const blocks = alerts.filter(({ ContainerID, Action }) => ContainerID === OLD && Action === 'Block');
  const ended = of(OLD, 'AlertThresholdEnded');
  guest.report('while it started again: alerts', {
    alerts: alerts.filter(({ ContainerID, Action }) => ContainerID === STEADY && Action === 'Block').length,
    reported: of(STEADY, 'AlertThresholdEnded').reduce(
      (sum, { Throttle }) => sum + (Throttle?.DroppedAlerts ?? 0),
      0,
    ),
  });
  guest.report('records', {
    count: stored.length,
    inOrder: alerts.every(
      ({ Sequence }, index) => index === 0 || Sequence > (alerts[index - 1]?.Sequence ?? 0),
    ),
    nodes: alerts.filter(({ ContainerID }) => ContainerID === '').map(({ Operation }) => Operation),
    strangers: alerts.filter(({ ContainerID }) => ContainerID.startsWith('cgroup:')).length,
    lost: alerts.filter(({ Operation }) => Operation === 'AlertsLost').length,
    endsWithTombstone: [OLD, NEW].map((id) => {
      const own = stored.filter((record) => keyOf(record) === id);
      return own.findIndex((record) => 'tombstone' in record) === own.length - 1;
    }),
  });
  guest.report('container that was there: alerts', {
    first: blocks.slice(0, 3).map(shown),
    audits: alerts.filter(({ ContainerID, Action }) => ContainerID === OLD && Action === 'Audit').length,
    emitted: blocks.length,
    dropped: ended.reduce((sum, { Throttle }) => sum + (Throttle?.DroppedAlerts ?? 0), 0),
    crossings: of(OLD, 'AlertThreshold').length,
    ended: ended.map(({ Throttle }) => ({ ...Throttle, IntervalStartMicros: 0, IntervalEndMicros: 0 })),
  });
  guest.report('new container: alerts', {
    exposed: of(NEW, 'PolicyApplied')[0]?.EventData,
    warnings: of(NEW, 'PolicyWarning').map(({ EventData }) => EventData),
    identity: shown(of(NEW, 'Network')[0]),
    withoutProducer: alerts
      .slice(
        alerts.findLastIndex(
          ({ ContainerID, Operation }) => ContainerID === NEW && Operation === 'PolicyApplied',
        ),
      )
      .filter(({ ContainerID, Type }) => ContainerID === NEW && Type === 'MatchedPolicy')
      .map(({ Operation, Action, Resource }) => `${Action} ${Operation} ${Resource}`)
      .sort(),
  });
}

function shown(alert: Alert | undefined): Partial<Alert> {
  if (alert === undefined) return {};
  const {
    Operation,
    Action,
    Result,
    Enforcer,
    PolicyName,
    Source,
    Resource,
    Data,
    Severity,
    PodName,
    Labels,
  } = alert;
  return {
    Operation,
    Action,
    Result,
    Enforcer,
    PolicyName,
    Source,
    Resource,
    Data,
    Severity,
    PodName,
    Labels,
  };
}
