// The guest's second disk, made for each run: the checkout's sources, the scenarios and the job that runs them.
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { harnessRoot } from './cache.ts';
import { GuestError } from './errors.ts';
import type { Kernel } from './kernels.ts';
import { makeImage } from './make-image.ts';
import { stripTypes } from './strip-types.ts';

export interface ScenarioRequest {
  /** A .ts file of the checkout, or an absolute path; its default export is called with a Guest. */
  readonly module: string;
  /** What the scenario finds in `guest.args`. */
  readonly args?: unknown;
  /** The tag of its lines; the file's name by default. */
  readonly name?: string;
}

export interface Job {
  readonly scenarios: readonly ScenarioRequest[];
  /** Shell scripts by path, run before the scenarios; /w is where they are. */
  readonly scripts: readonly string[];
  /** Shell commands, run after them. */
  readonly shell: string | undefined;
  /** Folders that go to /w/<name>. */
  readonly copy: readonly string[];
  readonly net: boolean;
}

export interface WorkOptions {
  readonly root: string;
  readonly kernel: Kernel;
  readonly job: Job;
  /** Folder of the programs compiled for the guest. */
  readonly workload: string;
  readonly mke2fs: string;
  readonly stage: string;
  readonly image: string;
}

/** Folders of the checkout that have code. */
const SOURCES = ['packages', 'services', 'infra', 'schemas', 'native', 'bpf', 'bench', 'e2e'];
const LEFT_OUT = /^(?:\..*|node_modules|coverage)$/;

/** What the run program inside reads, and the host writes. */
export interface JobFile {
  readonly scenarios: readonly { readonly file: string; readonly name: string; readonly args: unknown }[];
}

export async function makeWorkImage(options: WorkOptions): Promise<void> {
  const { root, kernel, job, stage, image } = options;
  mkdirSync(join(stage, '.guest'), { recursive: true });
  mkdirSync(join(stage, 'out'));
  for (const name of SOURCES) copySources(join(root, name), join(stage, name));
  // The harness inside is the one outside, whatever the checkout has of it.
  if (root !== harnessRoot) copySources(join(harnessRoot, 'packages/guest'), join(stage, 'packages/guest'));
  cpSync(join(root, 'package.json'), join(stage, 'package.json'));
  cpSync(join(root, 'node_modules/@alert-throttle'), join(stage, 'node_modules/@alert-throttle'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  cpSync(kernel.modules, join(stage, '.guest/modules'), { recursive: true });
  writeFileSync(join(stage, '.guest/modules.json'), JSON.stringify(kernel.moduleSets));
  cpSync(options.workload, join(stage, '.guest/bin'), { recursive: true });
  for (const folder of job.copy) cpSync(folder, join(stage, basename(folder)), { recursive: true });
  writeJob(options);
  stripTypes(stage);
  await makeImage(options.mke2fs, stage, image);
}

function copySources(from: string, to: string): void {
  if (!existsSync(from)) return;
  cpSync(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => path === from || !LEFT_OUT.test(basename(path)),
  });
  for (const nested of nestedModules(from))
    cpSync(nested, join(to, relative(from, nested)), { recursive: true });
}

/** Packages of npm that one workspace has in another version than the rest. */
function nestedModules(folder: string): string[] {
  return [folder, ...readdirSync(folder).map((name) => join(folder, name))]
    .map((one) => join(one, 'node_modules'))
    .filter((one) => existsSync(one));
}

function writeJob({ root, kernel, job, stage }: WorkOptions): void {
  const lines = [
    'code=0',
    'export PATH=/w/.guest/bin:$PATH',
    'export NODE_OPTIONS="--import /w/packages/guest/src/inside/stripped.mjs"',
  ];
  if (job.net)
    lines.push(
      ...kernel.moduleSets.net.map((name) => `insmod /w/.guest/modules/${name}.ko || code=1`),
      'ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up || code=1',
    );
  for (const script of job.scripts) lines.push(`sh ${inGuest(script, root, stage)} || code=1`);
  if (job.shell !== undefined) {
    writeFileSync(join(stage, '.guest/shell.sh'), `${job.shell}\n`);
    lines.push('sh /w/.guest/shell.sh || code=1');
  }
  const scenarios = job.scenarios.map(({ module, args, name }) => ({
    file: inGuest(module.startsWith('/') ? module : join(root, module), root, stage),
    name: name ?? basename(module).replace(/(?:\.scenario)?\.ts$/, ''),
    args: args ?? null,
  }));
  if (new Set(scenarios.map(({ name }) => name)).size < scenarios.length)
    throw new GuestError('BAD_REQUEST', 'two scenarios of one boot have the same name: give them names');
  writeFileSync(join(stage, '.guest/job.json'), JSON.stringify({ scenarios } satisfies JobFile));
  scenarios.forEach((_, index) => lines.push(`node /w/packages/guest/src/inside/run.ts ${index} || code=1`));
  lines.push('exit $code');
  writeFileSync(join(stage, '.guest/job.sh'), lines.map((line) => `${line}\n`).join(''));
}

/** Where the guest has a file of the host: at its place in the checkout, or in a folder for others. */
function inGuest(file: string, root: string, stage: string): string {
  if (!existsSync(file)) throw new GuestError('BAD_REQUEST', `there is no file ${file}`);
  const path = relative(root, file);
  const own = relative(harnessRoot, file);
  const place = [path, own].find((one) => !one.startsWith('..') && SOURCES.includes(one.split('/')[0] ?? ''));
  const target = join(stage, place ?? join('other', basename(file)));
  mkdirSync(dirname(target), { recursive: true });
  if (place === undefined || !existsSync(target)) cpSync(file, target);
  return `/w/${relative(stage, target)}`;
}
