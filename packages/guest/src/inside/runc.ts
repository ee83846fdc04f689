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
  /** Between `create` and `start`: the cgroup exists, and nothing of the image has run. */
  readonly beforeStart?: (container: Container) => Promise<void> | void;
}

interface Spec {
  root: { path: string; readonly: boolean };
  process: { terminal: boolean; args: string[]; apparmorProfile?: string };
  linux: { cgroupsPath?: string };
}

export async function startRunc(name: string, options: RuncOptions = {}): Promise<Container> {
  const { files = {}, apparmorProfile, beforeStart } = options;
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
    async stop() {
      await command('runc', 'delete', '--force', name);
      child.kill('SIGKILL');
    },
  };
}

async function createdPid(name: string, child: ChildProcess): Promise<number | undefined> {
  if (child.exitCode !== null) throw new Error(`runc create ended with ${child.exitCode}`);
  const state = await command('runc', 'state', name).catch(() => undefined);
  if (state === undefined) return undefined;
  const { status, pid } = JSON.parse(state) as { status: string; pid: number };
  return status === 'created' ? pid : undefined;
}
