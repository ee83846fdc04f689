// The process that set everything up is killed: the kernel goes on refusing and counting, and the next one takes over.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { inspectKernel, openKernel } from '@alert-throttle/kernel';
import { startContainer, until, type Guest } from '@alert-throttle/guest/inside';
import { EnforcingNode, isAlert, ruleSetOf, SIZES } from './node.ts';

const READY = '/run/producer-is-ready';
const ruleSet = ruleSetOf([{ file: { matchPaths: [{ path: '/etc/secret' }] }, action: 'Block' }]);

export default async function abandoned(guest: Guest): Promise<void> {
  const container = await startContainer('abandoned', { files: { '/etc/secret': 'secret' } });
  const { cgroup, pidNs, mntNs, rootDev, rootIno } = container;
  const facts = { id: cgroup.id, path: cgroup.path, pidNs, mntNs, rootDev, rootIno };
  writeFileSync(
    `${READY}.container`,
    JSON.stringify(facts, (_key, value: unknown) => plain(value)),
  );
  const producer = spawn(process.execPath, [import.meta.filename, 'producer'], { stdio: 'inherit' });
  await until('the producer', () => existsSync(READY) || !isAlive(producer));
  const before = await container.do('open', '/etc/secret', 'r');
  const gone = new Promise((resolve) => producer.once('exit', (_code, signal) => resolve(signal)));
  producer.kill('SIGKILL');
  const signal = await gone;

  const view = inspectKernel();
  const counted = view.counters().matched;
  const { good, failed } = await container.do('parallel', 2, 500, 'open', '/etc/secret', 'r');
  guest.report('absent', {
    ...{ signal, before: before.error, good, failed },
    matched: view.counters().matched - counted,
    attached: view.programs().every(({ attached }) => attached),
  });
  view.close();

  const kernel = openKernel({ sizes: SIZES });
  const known = kernel.containers().map(({ cgroupId }) => cgroupId);
  const events = kernel.poll();
  const after = await container.do('open', '/etc/secret', 'r');
  guest.report('adopted', {
    adopted: kernel.adopted,
    known: known.includes(cgroup.id),
    alerts: events.filter(isAlert).length,
    thresholds: events.filter(({ type }) => type === 'threshold').length,
    after: after.error,
  });
  kernel.detach();
  guest.report('detached', { open: (await container.do('open', '/etc/secret', 'r')).ret });
  await container.stop();
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** The other process: sets up, and then does nothing but wait. */
function produce(): void {
  const facts = JSON.parse(readFileSync(`${READY}.container`, 'utf8')) as Record<string, string | number>;
  const node = new EnforcingNode();
  node.limit({ maxAlertPerSec: 5, throttleSec: 3600 });
  node.kernel.activate();
  const handle = node.kernel.installRuleSet(ruleSet);
  node.kernel.registerContainer({
    cgroupId: BigInt(facts['id'] ?? 0),
    pidNs: Number(facts['pidNs']),
    mntNs: Number(facts['mntNs']),
    rootDev: BigInt(facts['rootDev'] ?? 0),
    rootIno: BigInt(facts['rootIno'] ?? 0),
    ...{ profile: 0, privileged: false, ruleSet: handle, descendants: () => [] },
  });
  writeFileSync(READY, '');
  setInterval(() => undefined, 60_000);
}

if (process.argv[2] === 'producer') produce();
