// Runs in the guest, whose kernel asks no BPF programs: the producer with SOURCE=kernel finds AppArmor by itself, and keeps
// profiles for its containers.
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { confinementOf, enforcedProfiles } from '@alert-throttle/apparmor';
import { startContainer, until, type Container, type Guest } from '@alert-throttle/guest/inside';
import {
  CAPABILITIES,
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
  startProducer,
  tryFiles,
} from './producer.ts';

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

const START = {
  // Each alert is counted; none is to be throttled.
  env: environmentOf({ MAX_ALERT_PER_SEC: '1000' }),
  capabilities: [...CAPABILITIES, 'mac_admin'],
  patienceMs: PATIENCE_MS,
};

async function metric(name: string): Promise<string | undefined> {
  return (await metrics())
    .split('\n')
    .find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    ?.split(' ')
    .at(-1);
}

function logLines(...words: readonly string[]): string[] {
  const lines = readFileSync(LOG, 'utf8').split('\n');
  return lines.filter((line) => words.every((word) => line.includes(word)));
}

/**
 * Both containers' rules are in force for the given time, with the place where /bin/dynamic leads in each. The outcome of
 * a try does not tell: they share a profile, which refuses what the rules of either block.
 */
async function untilInForce(times: number): Promise<void> {
  for (const id of [STRAY, CONFINED])
    await until(
      `the rules of ${id} to be in force, ${times}`,
      () => logLines(`container ${id}: 4 rules in force`).length >= times,
      PATIENCE_MS,
    );
}

async function openSecret(container: Container): Promise<{ secret: string }> {
  return { secret: errnoOf(await container.do('open', '/etc/secret', 'r')) };
}

function counted(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

export default async (guest: Guest): Promise<void> => {
  makeFolders();
  writeFileSync(`${POLICIES}/web.yaml`, policy('Block'));
  writeFileSync(LABELS, `containers:${LABELS_TEXT}\n`);
  // Nobody told its runtime of the profile.
  const stray = await startContainer(STRAY, { files: FILES });
  let producer: ChildProcess | undefined;
  try {
    const first = await startProducer(START);
    producer = first.child;
    guest.report('started', { ...first.state, profile: enforcedProfiles().has(PROFILE) });
    const confined = await startContainer(CONFINED, {
      files: FILES,
      apparmorProfile: PROFILE,
      beforeStart: async () => {
        await until('the new container to be seen', async () => (await kernelState())?.containers === 2);
      },
    });
    await untilInForce(1);
    guest.report('under its profile', await tryFiles(confined));
    guest.report('under none', await tryFiles(stray));
    const unconfined = await until('the stray container to be named', async () => {
      const state = await kernelState();
      return state !== undefined && STRAY in state.unconfined && state.unconfined;
    });
    const name = 'alert_throttle_producer_kernel_containers_unconfined';
    await until('it to be counted', async () => (await metric(name)) === '1');
    guest.report('named', { unconfined });

    writeFileSync(`${POLICIES}/web.yaml`, policy('Block', TCP));
    await until('them to be refused', () => logLines(CONFINED, 'AppArmor cannot enforce this').length > 0);
    guest.report('with a policy that no profile can say', await openSecret(confined));
    writeFileSync(`${POLICIES}/web.yaml`, policy('Audit'));
    await untilInForce(2);
    guest.report('with another policy', await openSecret(confined));
    writeFileSync(`${POLICIES}/web.yaml`, policy('Block'));
    await untilInForce(3);
    guest.report('with the first policy', await openSecret(confined));

    await end(producer, 'SIGKILL');
    guest.report('without a producer', await tryFiles(confined));
    const second = await startProducer(START);
    producer = second.child;
    await untilInForce(4);
    guest.report('started again', { ...second.state, confinement: confinementOf(confined.pid) });
    guest.report('after the restart', await tryFiles(confined));
    await confined.stop();
    await stray.stop();
    await until('the containers to be forgotten', async () => (await kernelState())?.containers === 0);
    guest.report('stopped', { code: await end(producer, 'SIGTERM') });
  } finally {
    producer?.kill('SIGKILL');
    process.stdout.write(readFileSync(LOG, 'utf8'));
  }
  const all = records().filter(isAlert);
  const of = (id: string): string[] =>
    all
      .filter(({ ContainerID, Type }) => ContainerID === id && Type === 'MatchedPolicy')
      .map(({ Operation, Action, Enforcer, Result, Resource }) =>
        [Action, Operation, Resource, Enforcer, Result].join(' '),
      );
  guest.report('alerts', {
    confined: counted(of(CONFINED)),
    stray: counted(of(STRAY)),
    warnings: all
      .filter(({ Operation }) => Operation === 'PolicyWarning')
      .map(({ ContainerID, Message }) => `${ContainerID.slice(0, 1)} ${Message}`),
    lost: all.filter(({ Operation }) => Operation === 'AlertsLost').length,
  });
};
