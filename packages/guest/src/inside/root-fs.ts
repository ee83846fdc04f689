// Roots for containers: small, with merged /usr, BusyBox, the workload, and one dynamic program with its loader.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { command } from './command.ts';
import { loadModules } from './modules.ts';

export interface RootOptions {
  /** `tmpfs`: a folder of its own; `overlay`: overlayfs over one that all such containers share. */
  readonly kind: 'tmpfs' | 'overlay';
  /** Files by path, with their text; their folders are made. */
  readonly files?: Readonly<Record<string, string>>;
}

const APPLETS = [
  'sh',
  'cat',
  'ls',
  'true',
  'false',
  'sleep',
  'echo',
  'cp',
  'mv',
  'rm',
  'chmod',
  'mkdir',
  'id',
];

/** The dynamic program of every root: only it can be run through its loader. */
export const DYNAMIC_PROGRAM = '/usr/bin/dynamic';
export const LOADER = '/usr/lib64/ld-linux-x86-64.so.2';

const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
const SHARED = '/run/containers/shared-root';

/** The folder of the root. */
export async function makeRoot(name: string, { kind, files = {} }: RootOptions): Promise<string> {
  const folder = join('/run/containers', name);
  const root = join(folder, 'rootfs');
  mkdirSync(root, { recursive: true });
  if (kind === 'tmpfs') await fill(root);
  else await overlay(folder, root);
  writeFiles(root, files);
  return root;
}

function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

async function overlay(folder: string, root: string): Promise<void> {
  await loadModules('overlay');
  if (!existsSync(SHARED)) {
    mkdirSync(SHARED, { recursive: true });
    await fill(SHARED);
  }
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
  for (const one of [upper, work]) mkdirSync(one, { recursive: true });
  const options = `lowerdir=${SHARED},upperdir=${upper},workdir=${work}`;
  await command('mount', '-t', 'overlay', 'overlay', '-o', options, root);
}

async function fill(root: string): Promise<void> {
  for (const path of [
    'usr/bin',
    'usr/sbin',
    'usr/lib/x86_64-linux-gnu',
    'usr/lib64',
    'etc',
    'root',
    'run',
    'var',
  ])
    mkdirSync(join(root, path), { recursive: true });
  for (const path of ['proc', 'sys', 'dev', 'tmp', 'mnt']) mkdirSync(join(root, path), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  program(root, '/bin/busybox', '/usr/bin/busybox');
  for (const name of APPLETS) symlinkSync('busybox', join(root, 'usr/bin', name));
  program(root, '/w/.guest/bin/workload', '/usr/bin/workload');
  program(root, '/usr/bin/unshare', DYNAMIC_PROGRAM);
  program(root, '/lib64/ld-linux-x86-64.so.2', LOADER);
  program(root, LIBC, LIBC);
  writeFiles(root, {
    '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n',
    '/etc/group': 'root:x:0:\nuser:x:1000:\n',
    '/etc/hosts': '127.0.0.1 localhost\n',
    '/etc/shadow': 'root:*:19000:0:99999:7:::\n',
  });
  for (const [device, minor] of [
    ['null', '3'],
    ['zero', '5'],
    ['urandom', '9'],
  ] as const)
    await command('mknod', '-m', '666', join(root, 'dev', device), 'c', '1', minor);
}

function program(root: string, from: string, to: string): void {
  const target = join(root, to);
  copyFileSync(realpathSync(from), target);
  chmodSync(target, 0o755);
}
