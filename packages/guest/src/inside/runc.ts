// Containers that runc starts, from a bundle with a BusyBox root on overlayfs: what container engines do.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cgroupAt, CGROUPS } from './cgroup.ts';
import { command } from './command.ts';
import { containerOf, type Container } from './container.ts';
import { makeRoot, type RootOptions } from './root-fs.ts';
import { until } from './wait.ts';
import { Workload } from './workload.ts';

export interface RuncOptions {
  readonly files?: RootOptions['files'];
  /** A loaded AppArmor profile. */
  readonly apparmorProfile?: string;
  /** That of the host, or of another container; one of its own by default. */
  readonly pidNamespace?: 'host' | Container;
  /** May make cgroups below its own, as where systemd or another engine runs in it. */
  readonly isDelegated?: boolean;
  /** Between `create` and `start`: the cgroup exists, and nothing of the image has run. */
  readonly beforeStart?: (container: Container) => Promise<void> | void;
}

export interface RuncContainer extends Container {
  /** Another workload in it, by `runc exec`. */
  exec(): Promise<Workload>;
  /** A program in it, by `runc exec`; how that ended, and what both printed. */
  run(
    program: string,
    ...args: string[]
  ): Promise<{ readonly status: number | null; readonly output: string }>;
}

interface Spec {
  root: { path: string; readonly: boolean };
  process: { terminal: boolean; args: string[]; apparmorProfile?: string };
  mounts: { destination: string; options?: string[] }[];
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] };
}

export async function startRunc(name: string, options: RuncOptions = {}): Promise<RuncContainer> {
  const { files = {}, apparmorProfile, beforeStart, pidNamespace, isDelegated = false } = options;
  const root = await makeRoot(name, { kind: 'overlay', files });
  const bundle = dirname(root);
  await command('runc', 'spec', '--bundle', bundle);
  const file = join(bundle, 'config.json');
  const spec = JSON.parse(readFileSync(file, 'utf8')) as Spec;
  spec.root = { path: root, readonly: false };
  spec.process.terminal = false;
  spec.process.args = ['/usr/bin/workload'];
  if (apparmorProfile !== undefined) spec.process.apparmorProfile = apparmorProfile;
  spec.linux.cgroupsPath = `/containers/${name}`;
  if (pidNamespace !== undefined) {
    const others = spec.linux.namespaces.filter(({ type }) => type !== 'pid');
    const shared = pidNamespace === 'host' ? [] : [{ type: 'pid', path: `/proc/${pidNamespace.pid}/ns/pid` }];
    spec.linux.namespaces = [...others, ...shared];
  }
  if (isDelegated)
    for (const mount of spec.mounts)
      if (mount.destination === '/sys/fs/cgroup')
        mount.options = (mount.options ?? []).map((option) => (option === 'ro' ? 'rw' : option));
  writeFileSync(file, JSON.stringify(spec));
  // Controllers that runc wants below have to be on above.
  mkdirSync(join(CGROUPS, 'containers'), { recursive: true });
  // The pipes have to outlive `runc create`, at whose end Node would close them.
  const holder = 'runc create --bundle "$0" "$1" && exec sleep 1000000';
  const child = spawn('sh', ['-c', holder, bundle, name], { stdio: 'pipe' });
  const workload = new Workload(child);
  const pid = await until(`runc to create ${name}`, () => createdPid(name, child));
  const cgroup = cgroupAt(join(CGROUPS, 'containers', name));
  const container = containerOf({ name, cgroup, pid, root, workload, apparmorProfile });
  await beforeStart?.(container);
  await command('runc', 'start', name);
  await workload.next();
  return {
    ...container,
    async exec() {
      const other = new Workload(spawn('runc', ['exec', name, '/usr/bin/workload'], { stdio: 'pipe' }));
      await other.next();
      return other;
    },
    run: (...command) => outcomeOf(spawn('runc', ['exec', name, ...command], { stdio: 'pipe' })),
    async stop() {
      await command('runc', 'delete', '--force', name);
      child.kill('SIGKILL');
    },
  };
}

async function outcomeOf(child: ChildProcess): Promise<{ status: number | null; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, output };
}

async function createdPid(name: string, child: ChildProcess): Promise<number | undefined> {
  if (child.exitCode !== null) throw new Error(`runc create ended with ${child.exitCode}`);
  const state = await command('runc', 'state', name).catch(() => undefined);
  if (state === undefined) return undefined;
  const { status, pid } = JSON.parse(state) as { status: string; pid: number };
  return status === 'created' ? pid : undefined;
}
