// A producer with SOURCE=kernel in the guest, as a user starts it, and what can be seen of it from outside: its readiness,
// its metrics, and its spool, as there is no Kafka there.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import type { Alert } from '@alert-throttle/alert';
import { inspectKernel } from '@alert-throttle/kernel';
import { until, type Container, type Reply } from '@alert-throttle/guest/inside';
import { decodeVersion, newestVersion } from '../src/adapters/alert-schemas.ts';
import { openSqliteSpool } from '../src/adapters/sqlite-spool.ts';

export const SPOOL = '/run/producer/spool';
export const POLICIES = '/run/producer/policies';
export const LABELS = '/run/producer/labels.yaml';
export const LOG = '/run/producer/log';
const PORT = '9465';

/** Everything that a producer of these scenarios is told; `more` on top of it. */
export function environmentOf(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return {
    ...process.env,
    POLICY_DIR: POLICIES,
    LABELS_FILE: LABELS,
    SPOOL_DIR: SPOOL,
    KAFKA_BROKERS: '127.0.0.1:1',
    HTTP_PORT: PORT,
    SHUTDOWN_TIMEOUT_SEC: '0',
    NODE_ID: 'guest',
    ...more,
  };
}

export function makeFolders(): void {
  const selfTest = '/sys/fs/cgroup/alert-throttle-self-test';
  for (const folder of [SPOOL, POLICIES, selfTest]) mkdirSync(folder, { recursive: true });
}

/** What /readyz says under `kernel`, as far as scenarios look at it. */
export interface KernelState {
  readonly armed: boolean;
  readonly disarmed: Readonly<Record<string, string>>;
  readonly containers: number;
  readonly policies: number;
  readonly unconfined: Readonly<Record<string, string>>;
}

/** All that the documentation asks for, with the self-test's cgroup made beforehand; AppArmor takes more. */
export const CAPABILITIES = ['bpf', 'perfmon', 'sys_ptrace', 'dac_read_search'] as const;

/** setpriv becomes the producer, so that the child is the producer. */
export function producerCommand(capabilities: readonly string[]): [string, ...string[]] {
  const bounds = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const producer = [process.execPath, '/w/services/producer/src/main.ts', '--source', 'kernel'];
  return ['setpriv', '--bounding-set', bounds, ...producer];
}

export interface StartOptions {
  readonly env: NodeJS.ProcessEnv;
  /** It is root with these, and cannot get others. */
  readonly capabilities?: readonly string[];
  readonly patienceMs: number;
}

/** Resolves after its first self-test. */
export async function startProducer({
  env,
  capabilities = CAPABILITIES,
  patienceMs,
}: StartOptions): Promise<{ child: ChildProcess; state: KernelState }> {
  const log = openSync(LOG, 'a');
  const [program, ...args] = producerCommand(capabilities);
  const child = spawn(program, args, { stdio: ['ignore', log, log], env });
  const tested = async (): Promise<KernelState | undefined> => {
    if (hasEnded(child)) throw new Error(`the producer ended: ${readFileSync(LOG, 'utf8')}`);
    const state = await kernelState();
    return state && (state.armed || Object.keys(state.disarmed).length > 0) ? state : undefined;
  };
  try {
    return { child, state: await until('the first self-test', tested, patienceMs) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

export async function kernelState(): Promise<KernelState | undefined> {
  const response = await fetch(`http://127.0.0.1:${PORT}/readyz`).catch(() => undefined);
  return response && ((await response.json()) as { kernel?: KernelState }).kernel;
}

export async function metrics(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${PORT}/metrics`).catch(() => undefined);
  return response === undefined ? '' : await response.text();
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  await until('the producer to end', () => hasEnded(child));
  return child.exitCode;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** What the kernel itself has counted for the container: matched = passed + dropped, and of those that passed, `lost` were lost. */
export function counted({ cgroup }: Container): Readonly<Record<string, number>> | undefined {
  const view = inspectKernel();
  try {
    const entry = view.throttleMap().find((one) => one.container === cgroup.id);
    return entry && { matched: entry.matched, dropped: entry.dropped, lost: entry.lost };
  } finally {
    view.close();
  }
}

export type Stored = Alert | { readonly tombstone: string };

/** As the spool has them: only while no producer runs. */
export function records(): Stored[] {
  const limits = { maxRecords: 1_000_000, maxBytes: 1 << 30 };
  const { maxBytes } = limits;
  const spool = openSqliteSpool({ dir: SPOOL, maxBytes, schemaVersion: newestVersion, nowMs: () => 0 });
  try {
    return spool
      .read(limits)
      .map(({ kind, key, value, schemaVersion }) =>
        kind === 'tombstone' ? { tombstone: key } : decodeVersion(Buffer.from(value ?? []), schemaVersion),
      );
  } finally {
    spool.close();
  }
}

export function isAlert(record: Stored): record is Alert {
  return 'Operation' in record;
}

export function errnoOf({ error }: Reply): string {
  return error === '' ? 'ok' : error;
}

/** The files and the program that policies of the scenarios name, and one file that they do not. */
export async function tryFiles(container: Container): Promise<Record<string, string>> {
  return {
    secret: errnoOf(await container.do('open', '/etc/secret', 'r')),
    watched: errnoOf(await container.do('open', '/etc/watched', 'r')),
    free: errnoOf(await container.do('open', '/etc/free', 'r')),
    dynamic: errnoOf(await container.do('exec', '/usr/bin/dynamic', '--help')),
  };
}

export async function untilSecret(container: Container, expected: string): Promise<string> {
  return until(`the secret to be ${expected}`, async () => {
    const now = errnoOf(await container.do('open', '/etc/secret', 'r'));
    return now === expected && now;
  });
}
