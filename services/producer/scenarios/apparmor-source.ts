// Runs in the guest, whose kernel asks no BPF programs: the producer with SOURCE=kernel finds AppArmor by itself, and keeps
// profiles for its containers.
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { confinementOf, enforcedProfiles } from '@alert-throttle/apparmor';
import { startContainer, until, type Guest } from '@alert-throttle/guest/inside';
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
  untilSecret,
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
  env: environmentOf(),
  // In a user namespace of its own the self-test does not prove rules on capabilities.
  capabilities: [...CAPABILITIES, 'mac_admin', 'sys_admin'],
  patienceMs: PATIENCE_MS,
};

async function metric(name: string): Promise<string | undefined> {
  return (await metrics())
    .split('\n')
    .find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    ?.split(' ')
    .at(-1);
}

async function untilLogged(text: string): Promise<void> {
  await until(`the log to say: ${text}`, () => readFileSync(LOG, 'utf8').includes(text), PATIENCE_MS);
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
    guest.report('under its profile', await tryFiles(confined));
    guest.report('under none', await tryFiles(stray));
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
    guest.report('without a producer', await tryFiles(confined));
    const second = await startProducer(START);
    producer = second.child;
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
    confined: [...new Set(of(CONFINED))].sort(),
    stray: [...new Set(of(STRAY))].sort(),
    warnings: all
      .filter(({ Operation }) => Operation === 'PolicyWarning')
      .map(({ ContainerID, Message }) => `${ContainerID.slice(0, 1)} ${Message}`),
    lost: all.filter(({ Operation }) => Operation === 'AlertsLost').length,
  });
};
