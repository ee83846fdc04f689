// The guest's root: Node, BusyBox, the tools that scenarios call, and the packages of npm. It changes seldom and is kept.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cached, digest, type Log } from './cache.ts';
import { findLibrary, type GuestPrograms } from './programs.ts';
import { makeImage } from './make-image.ts';
import { productionPackages } from './node-modules.ts';
import { tool } from './tool.ts';

export interface BaseOptions {
  /** Whose packages of npm it gets. */
  readonly root: string;
  readonly programs: GuestPrograms;
  readonly log: Log;
}

/** By which the kernel knows this disk. */
export const BASE_DISK = 0x61740001;

const INIT = join(import.meta.dirname, 'init.sh');

/** Prebuilt modules of npm ask for these by name, although the C library contains them. */
const EXTRA_LIBRARIES = [
  'librt.so.1',
  'libpthread.so.0',
  'libdl.so.2',
  'libstdc++.so.6',
  'libgcc_s.so.1',
  'libnss_files.so.2',
];

/** What apparmor_parser reads beside the profiles that it is given. */
const APPARMOR_FILES = [
  '/etc/apparmor/parser.conf',
  '/etc/apparmor.d/abi',
  '/etc/apparmor.d/abstractions',
  '/etc/apparmor.d/tunables',
  '/usr/share/apparmor-features',
];

/** Programs that the guest has under the same name as the host. */
function guestPrograms(root: string, programs: GuestPrograms): string[] {
  const { busybox, bash, unshare, nsenter, setpriv, bpftool, runc, apparmorParser, aaExec } = programs;
  const node = join(root, 'node_modules/node/bin/node');
  return [busybox, bash, unshare, nsenter, setpriv, bpftool, runc, apparmorParser, aaExec, node];
}

/** The image file. */
export async function provideBaseImage({ root, programs, log }: BaseOptions): Promise<string> {
  const files = guestPrograms(root, programs);
  const key = digest([
    ...[import.meta.filename, INIT, join(root, 'package-lock.json')].map((file) => readFileSync(file)),
    ...files.map((file) => `${basename(file)} ${statSync(file).size} ${statSync(file).mtimeMs}`),
  ]);
  const folder = await cached({
    kind: 'base',
    key,
    log,
    make: async (into) => {
      log('Making the root image of the guest ...');
      const stage = join(into, 'stage');
      await fill(stage, root, files, programs);
      await makeImage(programs.mke2fs, stage, join(into, 'base.img'), { partitionOf: BASE_DISK });
      rmSync(stage, { recursive: true, force: true });
    },
  });
  return join(folder, 'base.img');
}

async function fill(
  stage: string,
  root: string,
  files: readonly string[],
  programs: GuestPrograms,
): Promise<void> {
  // Merged /usr, as on the systems that containers run on.
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'etc', 'root', 'mnt', 'w', 'var/lib'])
    mkdirSync(join(stage, folder), { recursive: true });
  for (const folder of ['proc', 'sys', 'dev', 'tmp', 'run', 'var/tmp']) mkdirSync(join(stage, folder));
  chmodSync(join(stage, 'tmp'), 0o1777);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(stage, name));
  symlinkSync('../run', join(stage, 'var/run'));
  for (const file of files) copyProgram(file, stage);
  await applets(programs.busybox, stage);
  for (const library of await libraries(programs.ldd, files)) copyInto(library, stage);
  for (const file of APPARMOR_FILES) copyInto(file, stage);
  for (const [name, text] of Object.entries(ETC)) writeFileSync(join(stage, 'etc', name), text);
  copyFileSync(INIT, join(stage, 'init'));
  chmodSync(join(stage, 'init'), 0o755);
  for (const path of productionPackages(root)) copyPackage(join(root, path), join(stage, path));
}

const ETC: Readonly<Record<string, string>> = {
  passwd:
    'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  group: 'root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n',
  // getaddrinfo finds no localhost without these two.
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
};

function copyProgram(file: string, stage: string): void {
  const target = join(stage, 'usr/bin', basename(file));
  copyFileSync(realpathSync(file), target);
  chmodSync(target, 0o755);
}

/** BusyBox under each of its names that no program of its own has. */
async function applets(busybox: string, stage: string): Promise<void> {
  for (const name of (await tool(busybox, ['--list'])).trim().split('\n')) {
    const link = join(stage, 'usr/bin', name);
    if (!existsSync(link)) symlinkSync('busybox', link);
  }
}

async function libraries(ldd: string, files: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const name of EXTRA_LIBRARIES) {
    const file = findLibrary(name);
    if (file !== undefined) found.add(file);
  }
  const named = ['libbpf.so.1', 'libelf.so.1', 'libz.so.1', 'libseccomp.so.2'].map(findLibrary);
  const all = [...files, ...found, ...named.filter((file) => file !== undefined)];
  for (const file of named) if (file !== undefined) found.add(file);
  for (const file of all) {
    // A static program has none, which ldd calls an error.
    const text = await tool(ldd, [file]).catch(() => '');
    for (const [, path] of text.matchAll(/(?:=> |^\s+)(\/[^ ]+) \(0x/gm))
      if (path !== undefined) found.add(path);
  }
  return found;
}

/** To the path that it has here; /lib and the like are links to /usr there. */
function copyInto(file: string, stage: string): void {
  if (!existsSync(file)) return;
  const target = join(stage, file.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/'));
  mkdirSync(dirname(target), { recursive: true });
  cpSync(realpathSync(file), target, { recursive: true, dereference: true });
}

/** A package's own dependencies are packages of their own in the lock file. */
function copyPackage(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from))
    if (name !== 'node_modules') cpSync(join(from, name), join(to, name), { recursive: true });
}
