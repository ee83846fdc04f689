// Debian's kernels, as apt resolves and verifies them, downloaded and unpacked; nothing is installed on the host.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, cached, type Log } from './cache.ts';
import { GuestError } from './errors.ts';
import { unpackModules, type ModuleSets } from './kernel-modules.ts';
import type { GuestPrograms } from './programs.ts';
import { tool } from './tool.ts';

/** `6.1`: the newest of bookworm; `backports`: the newest of bookworm-backports. */
export const KERNELS = ['6.1', 'backports'] as const;
export type KernelName = (typeof KERNELS)[number];

export interface Kernel {
  readonly name: KernelName;
  /** What `uname -r` says in it. */
  readonly release: string;
  readonly vmlinuz: string;
  /** Folder of the .ko files, uncompressed. */
  readonly modules: string;
  readonly moduleSets: ModuleSets;
}

const SUITES: Readonly<Record<KernelName, readonly string[]>> = {
  '6.1': ['bookworm', 'bookworm-updates', 'bookworm-security'],
  backports: ['bookworm-backports'],
};

/** The cloud flavour: small, and with NVMe and ext4 built in, so that it boots without an initramfs. */
const PACKAGE = 'linux-image-cloud-amd64';

export interface KernelOptions {
  readonly programs: Pick<GuestPrograms, 'dpkg' | 'xz'>;
  readonly log: Log;
}

/** What is there is used, and asks no network; delete the folder for a newer one. */
export async function provideKernel(name: KernelName, { programs, log }: KernelOptions): Promise<Kernel> {
  const folder = await cached({
    kind: `kernel-${name}`,
    key: 'debian',
    log,
    make: (into) => download(name, into, programs, log),
  });
  const about = JSON.parse(readFileSync(join(folder, 'about.json'), 'utf8')) as About;
  return { name, vmlinuz: join(folder, 'vmlinuz'), modules: join(folder, 'modules'), ...about };
}

interface About {
  readonly release: string;
  readonly moduleSets: ModuleSets;
}

async function download(
  name: KernelName,
  into: string,
  programs: KernelOptions['programs'],
  log: Log,
): Promise<void> {
  log(
    `Looking for the newest kernel of ${SUITES[name].at(0) ?? ''} (apt-get update, in a folder of its own) ...`,
  );
  const apt = await privateApt(name);
  const show = await tool('apt-cache', [...apt.options, 'show', '--no-all-versions', PACKAGE]);
  const image = /^Depends: (?:.*, )?(linux-image-[^ ,]+)/m.exec(show)?.[1];
  if (image === undefined)
    throw new GuestError('NO_KERNEL', `${PACKAGE} of ${name} names no image:\n${show}`);
  log(`Downloading ${image} ...`);
  const packages = join(into, 'package');
  mkdirSync(packages);
  await tool('apt-get', [...apt.options, '-q', 'download', image], { cwd: packages });
  const file = readdirSync(packages).find((one) => one.endsWith('.deb'));
  if (file === undefined) throw new GuestError('NO_KERNEL', `apt-get download ${image} left no package`);
  const tree = join(into, 'tree');
  await tool(programs.dpkg, ['-x', join(packages, file), tree]);
  await keep(tree, into, programs.xz);
  for (const done of [packages, tree]) rmSync(done, { recursive: true, force: true });
}

async function keep(tree: string, into: string, xz: string): Promise<void> {
  const boot = join(tree, 'boot');
  const vmlinuz = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  if (vmlinuz === undefined) throw new GuestError('NO_KERNEL', `no vmlinuz in ${boot}`);
  const release = vmlinuz.slice('vmlinuz-'.length);
  writeFileSync(join(into, 'vmlinuz'), readFileSync(join(boot, vmlinuz)));
  writeFileSync(join(into, 'config'), readFileSync(join(boot, `config-${release}`)));
  const folder = ['lib', 'usr/lib'].map((lib) => join(tree, lib, 'modules', release)).find(existsSync);
  if (folder === undefined) throw new GuestError('NO_KERNEL', `no modules of ${release} in ${tree}`);
  const moduleSets = await unpackModules(folder, join(into, 'modules'), xz);
  writeFileSync(join(into, 'about.json'), `${JSON.stringify({ release, moduleSets } satisfies About)}\n`);
}

interface PrivateApt {
  readonly options: readonly string[];
}

/** Lists, state and cache of our own: the machine's stay as they are, and no root is needed. */
async function privateApt(name: KernelName): Promise<PrivateApt> {
  const dir = join(cacheDir, `apt-${name}`);
  for (const one of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(dir, one), { recursive: true });
  const sources = join(dir, 'sources.list');
  writeFileSync(sources, (await sourceLines(SUITES[name])).map((line) => `${line}\n`).join(''));
  writeFileSync(join(dir, 'status'), '');
  const options = Object.entries({
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::State': join(dir, 'state'),
    'Dir::State::status': join(dir, 'status'),
    'Dir::Cache': join(dir, 'cache'),
    'APT::Architecture': 'amd64',
    'Acquire::Languages': 'none',
    // The user that apt would become cannot write here.
    'APT::Sandbox::User': '',
  }).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  await tool('apt-get', [...options, '-q', 'update']);
  return { options };
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

async function sourceLines(suites: readonly string[]): Promise<string[]> {
  const { main, security } = debianMirrors(
    await tool('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE)', 'Created-By: Packages']),
    process.env['GUEST_DEBIAN_MIRROR'],
  );
  const signed = existsSync(KEYRING) ? ` [signed-by=${KEYRING}]` : '';
  return suites.flatMap((suite) => {
    const uri = suite.endsWith('-security') ? security : main;
    return uri === undefined ? [] : [`deb${signed} ${uri} ${suite} main`];
  });
}

export interface Mirrors {
  readonly main: string;
  readonly security: string | undefined;
}

/** Debian's archives among the sources that this machine uses (lines of "<uri> <suite>"), unless one is given. */
export function debianMirrors(targets: string, given?: string): Mirrors {
  const uris = targets.split('\n').flatMap((line) => line.split(' ').slice(0, 1));
  const security = uris.find((uri) => /\/debian-security\/?$/.test(uri));
  const main = given === undefined || given === '' ? uris.find((uri) => /\/debian\/?$/.test(uri)) : given;
  if (main === undefined)
    throw new GuestError(
      'NO_MIRROR',
      "the guest boots Debian's kernels, and apt here knows no archive of Debian: set GUEST_DEBIAN_MIRROR to the address of one",
    );
  return { main, security };
}
