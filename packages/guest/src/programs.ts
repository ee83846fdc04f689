// The programs of the host that a guest is made of, and those that make it.
import { existsSync } from 'node:fs';
import { onPath, provide, type Need, type Provided, type ProvideOptions } from '@alert-throttle/stack';

function program(name: string, ...packages: string[]): Need<string> {
  return { what: name, packages, find: () => onPath(name) };
}

/** The libraries of the kernel source's addon; a program that the guest has needs the first ones too. */
const LIBRARY_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib'];

function library(name: string, ...packages: string[]): Need<string> {
  return { what: name, packages, find: () => findLibrary(name) };
}

/** Undefined where the system has it nowhere. */
export function findLibrary(name: string): string | undefined {
  return LIBRARY_FOLDERS.map((folder) => `${folder}/${name}`).find((file) => existsSync(file));
}

const needs = {
  qemu: program('qemu-system-x86_64', 'qemu-system-x86'),
  mke2fs: program('mke2fs', 'e2fsprogs'),
  debugfs: program('debugfs', 'e2fsprogs'),
  dpkg: program('dpkg-deb', 'dpkg'),
  xz: program('xz', 'xz-utils'),
  ldd: program('ldd', 'libc-bin'),
  gcc: program('gcc', 'gcc', 'libc6-dev'),
  libc: library('libc.a', 'libc6-dev'),
  busybox: program('busybox', 'busybox-static'),
  bash: program('bash', 'bash'),
  unshare: program('unshare', 'util-linux'),
  nsenter: program('nsenter', 'util-linux'),
  setpriv: program('setpriv', 'util-linux'),
  bpftool: program('bpftool', 'bpftool'),
  runc: program('runc', 'runc'),
  apparmorParser: program('apparmor_parser', 'apparmor'),
  aaExec: program('aa-exec', 'apparmor'),
  libseccomp: library('libseccomp.so.2', 'libseccomp2'),
  libbpf: library('libbpf.so.1', 'libbpf1'),
  libelf: library('libelf.so.1', 'libelf1'),
  zlib: library('libz.so.1', 'zlib1g'),
} satisfies Record<string, Need<string>>;

export type GuestPrograms = Provided<typeof needs>;

export function findGuestPrograms(options: ProvideOptions): Promise<GuestPrograms> {
  return provide(needs, options);
}
