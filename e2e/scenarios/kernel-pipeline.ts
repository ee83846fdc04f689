// Runs in the guest: the producer with SOURCE=kernel, as a user starts it, whose Kafka and registry are those of the host;
// a container whose Block alerts are a flood and one whose Audit alerts are, at once; then every operation by itself. What
// comes of it is read from Kafka, on the host.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostPort, startContainer, until, type Container, type Guest } from '@alert-throttle/guest/inside';
import { inspectKernel, type KernelView } from '@alert-throttle/kernel';
import * as cast from './cast.ts';
import { OperationsContainer } from '../../packages/kernel/scenarios/enforcement/run-operations.ts';

const FOLDER = '/run/producer';
const CONFIG = `${FOLDER}/config.yaml`;
const LOG = `${FOLDER}/log`;
const PORT = '9465';
/** Node reads its modules with an emulated processor, and everything else takes as long. */
const PATIENCE_MS = 1_200_000;

interface Args {
  /** Of the host, to be reached under the same addresses. */
  readonly ports: readonly number[];
  /** Addresses and topics, as on the host. */
  readonly env: Readonly<Record<string, string>>;
}

interface KernelState {
  readonly armed: boolean;
  readonly armedKinds: readonly string[];
  readonly containers: number;
  readonly policies: number;
}

export default async function kernelPipeline(guest: Guest): Promise<void> {
  const { ports, env } = guest.args as Args;
  for (const port of ports) await hostPort(port);
  mkdirSync(`${FOLDER}/policies`, { recursive: true });
  for (const [name, text] of Object.entries(cast.POLICIES))
    writeFileSync(`${FOLDER}/policies/${name}.yaml`, text);
  writeFileSync(`${FOLDER}/labels.yaml`, cast.labelsFile());
  writeFileSync(CONFIG, JSON.stringify(cast.LIMITS));

  const files = { [cast.SECRET]: 'secret', [cast.WATCHED]: 'watched' };
  const [blocked, audited, quiet] = [
    await startContainer(cast.ID.blocked, { files }),
    await startContainer(cast.ID.audited, { files }),
    await startContainer(cast.ID.quiet, { files }),
  ];
  const operations = new Map<cast.OperationRole, OperationsContainer>();
  for (const [index, role] of cast.OPERATION_ROLES.entries())
    operations.set(role, await OperationsContainer.start(cast.ID[role], cast.FIRST_PORT + 10 * index));
  guest.report('pids', {
    ...Object.fromEntries([blocked, audited, quiet].map((one) => [one.name, pidsOf(one)])),
    ...Object.fromEntries([...operations.values()].map(({ container: one }) => [one.name, pidsOf(one)])),
  });

  const producer = start(env);
  try {
    guest.report('started', { ...(await armed(producer)) });
    const view = inspectKernel();
    await floods(guest, view, [blocked, audited, quiet]);
    writeFileSync(CONFIG, JSON.stringify(cast.OPEN_LIMITS));
    await until(
      'the new limits',
      () => view.limits(0).maxAlertPerSec === cast.OPEN_LIMITS.maxAlertPerSec,
      PATIENCE_MS,
    );
    for (const [role, one] of operations) guest.report(role, { outcomes: await one.tryAll() });
    const { matched, emitted, lost, dropped } = view.counters();
    guest.report('counters', { matched, emitted, lost, dropped, rings: view.rings() });
    view.close();
    for (const one of [
      blocked,
      audited,
      quiet,
      ...[...operations.values()].map(({ container }) => container),
    ])
      await one.stop();
    await until('the containers to be forgotten', async () => (await state())?.containers === 0, PATIENCE_MS);
    guest.report('stopped', { code: await end(producer) });
    guest.report('detached', alertctl(env, 'kernel', 'detach'));
  } finally {
    producer.kill('SIGKILL');
    process.stdout.write(readFileSync(LOG, 'utf8'));
  }
}

/** Both at once, and somebody who is not to be drowned by them. */
async function floods(
  guest: Guest,
  view: KernelView,
  [blocked, audited, quiet]: readonly [Container, Container, Container],
): Promise<void> {
  const before = view.counters();
  const startedMs = performance.now();
  const [refused, watched, secretOfQuiet, watchedByQuiet] = await Promise.all([
    blocked.do('parallel', 2, cast.FLOOD, 'open', cast.SECRET, 'r'),
    audited.do('parallel', 2, cast.FLOOD, 'open', cast.WATCHED, 'r'),
    quiet.do('open', cast.SECRET, 'r'),
    quiet.do('open', cast.WATCHED, 'r'),
  ]);
  const overMs = performance.now();
  const entry = view.throttleMap().find(({ container }) => container === blocked.cgroup.id);
  const after = view.counters();
  guest.report('floods', {
    seconds: (overMs - startedMs) / 1000,
    blocked: { good: refused.good, failed: refused.failed },
    audited: { good: watched.good, failed: watched.failed },
    quiet: [secretOfQuiet.error, watchedByQuiet.error],
    matched: Number(after.matched - before.matched),
    emitted: Number(after.emitted - before.emitted),
    dropped: Number(after.dropped - before.dropped),
    lost: Number(after.lost - before.lost),
    entry: entry && { matched: entry.matched, dropped: entry.dropped, lost: entry.lost },
  });
  // Both intervals began before the floods were over.
  await sleep(Math.max(0, overMs + cast.LIMITS.throttleSec * 1000 - performance.now()));
  await until('the report of the kernel', () =>
    view
      .throttleMap()
      .every(({ container, intervals }) => container !== blocked.cgroup.id || intervals.length === 0),
  );
  const again = [await blocked.do('open', cast.SECRET, 'r'), await audited.do('open', cast.WATCHED, 'r')];
  guest.report('after the silence', { outcomes: again.map(({ error }) => error) });
}

function pidsOf({ pid }: Container): object {
  const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { host: pid, parent: Number(parent) };
}

const settings = (env: Args['env']) => ({
  ...process.env,
  ...env,
  CONFIG_FILE: CONFIG,
  POLICY_DIR: `${FOLDER}/policies`,
  LABELS_FILE: `${FOLDER}/labels.yaml`,
  SPOOL_DIR: `${FOLDER}/spool`,
  HTTP_PORT: PORT,
  NODE_ID: cast.NODE_ID,
  CLUSTER_NAME: cast.CLUSTER,
  // What is in the spool is sent before it ends.
  SHUTDOWN_TIMEOUT_SEC: '300',
});

function start(env: Args['env']): ChildProcess {
  const log = openSync(LOG, 'a');
  const args = ['/w/services/producer/src/main.ts', '--source', 'kernel'];
  return spawn(process.execPath, args, { stdio: ['ignore', log, log], env: settings(env) });
}

async function armed(producer: ChildProcess): Promise<KernelState> {
  const look = async (): Promise<KernelState | undefined> => {
    if (producer.exitCode !== null) throw new Error(`the producer ended with ${producer.exitCode}`);
    const now = await state();
    return now?.armed ? now : undefined;
  };
  return await until('the node to be armed', look, PATIENCE_MS);
}

async function state(): Promise<KernelState | undefined> {
  const response = await fetch(`http://127.0.0.1:${PORT}/readyz`).catch(() => undefined);
  return response && ((await response.json()) as { kernel?: KernelState }).kernel;
}

async function end(producer: ChildProcess): Promise<number | null> {
  const gone = new Promise<void>((resolve) => producer.once('exit', () => resolve()));
  producer.kill('SIGTERM');
  await gone;
  return producer.exitCode;
}

function alertctl(env: Args['env'], ...args: string[]): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['/w/packages/alertctl/src/main.ts', ...args],
    { encoding: 'utf8', env: settings(env) },
  );
  return { status, out: stdout + stderr };
}
