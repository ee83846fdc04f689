// How the two products of the kernel source are compiled: the object with the BPF programs, and the addon.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { filesUnder, type Product } from './incremental.ts';
import type { Toolchain } from './toolchain.ts';

const require = createRequire(import.meta.url);

export const ROOT = join(import.meta.dirname, '..', '..');
export const BUILD = join(import.meta.dirname, '..', 'build');
export const BPF_SOURCE = join(ROOT, 'bpf', 'alert_throttle.bpf.c');
export const BPF_OBJECT = join(BUILD, 'alert_throttle.bpf.o');
/** The programs of a node on which AppArmor enforces. */
export const APPARMOR_SOURCE = join(ROOT, 'bpf', 'alert_throttle_apparmor.bpf.c');
export const APPARMOR_OBJECT = join(BUILD, 'alert_throttle_apparmor.bpf.o');
export const ADDON = join(BUILD, 'alert_throttle.node');
export const ADDON_ASAN = join(BUILD, 'alert_throttle.asan.node');

/** The kernel's name for the machine, which bpf_tracing.h asks for. */
const TARGET_ARCH = { arm64: 'arm64', x64: 'x86' } as const;

/**
 * Debug information is needed for BTF only: bpftool drops the rest, which makes the object an order of magnitude
 * smaller. `-mcpu=v3` brings atomics that return the old value.
 */
export function bpfObject(
  { clang, bpftool, multiarch }: Toolchain,
  source: string = BPF_SOURCE,
  output: string = BPF_OBJECT,
  defines: readonly string[] = [],
  arch: string = process.arch,
): Product {
  const target = TARGET_ARCH[arch === 'arm64' ? 'arm64' : 'x64'];
  return {
    output,
    inputs: [...new Set([source, ...bpfSources()])],
    compiler: clang,
    intermediates: ['WITH_DWARF'],
    commands: [
      [
        clang,
        '-g',
        '-O2',
        '-target',
        'bpf',
        '-mcpu=v3',
        `-D__TARGET_ARCH_${target}`,
        ...defines.map((define) => `-D${define}`),
        '-Wall',
        '-Wextra',
        '-Wno-unused-parameter',
        '-I',
        join(ROOT, 'bpf', 'include'),
        '-I',
        join(ROOT, 'bpf'),
        '-I',
        join('/usr/include', multiarch),
        '-c',
        source,
        '-o',
        'WITH_DWARF',
      ],
      [bpftool, 'gen', 'object', 'OUTPUT', 'WITH_DWARF'],
    ],
  };
}

function bpfSources(): string[] {
  const tests = join(ROOT, 'bpf', 'test/');
  return filesUnder(join(ROOT, 'bpf'), ['.c', '.h']).filter((file) => !file.startsWith(tests));
}

/** Where an addon for another machine goes, and where its compiler finds that machine's libraries. */
export interface CrossBuild {
  readonly output: string;
  readonly flags: readonly string[];
}

/**
 * libbpf is linked dynamically, as Debian's static one is not position-independent; the C++ library statically, so that
 * the addon runs beside whatever Node was built with. It stays once it is loaded (nodelete), as that library would leave
 * 72 kB behind with each worker that ends. The headers of Node-API come from npm: nothing is downloaded, and the same file
 * serves every Node from version 18.
 */
export function addon(
  { cxx }: Pick<Toolchain, 'cxx'>,
  sanitized = false,
  { output, flags }: CrossBuild = { output: sanitized ? ADDON_ASAN : ADDON, flags: [] },
): Product {
  const nodeAddonApi = dirname(require.resolve('node-addon-api/package.json'));
  const nodeApiHeaders = dirname(require.resolve('node-api-headers/package.json'));
  const sources = filesUnder(join(ROOT, 'native', 'src'), ['.cc']);
  return {
    output,
    inputs: [
      ...sources,
      ...filesUnder(join(ROOT, 'native', 'src'), ['.h']),
      ...filesUnder(join(ROOT, 'bpf', 'include'), ['.h']),
      join(nodeAddonApi, 'package.json'),
      join(nodeApiHeaders, 'package.json'),
    ],
    compiler: cxx,
    commands: [
      [
        cxx,
        '-std=c++17',
        '-fPIC',
        '-shared',
        '-fvisibility=hidden',
        '-fno-exceptions',
        '-Wall',
        '-Wextra',
        ...(sanitized ? ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined'] : ['-O2']),
        '-DNAPI_VERSION=8',
        '-DNAPI_DISABLE_CPP_EXCEPTIONS',
        '-D_GNU_SOURCE',
        '-isystem',
        nodeAddonApi,
        '-isystem',
        join(nodeApiHeaders, 'include'),
        '-I',
        join(ROOT, 'bpf', 'include'),
        ...flags,
        ...sources,
        '-Wl,-z,relro,-z,now,-z,nodelete',
        ...(sanitized ? [] : ['-static-libstdc++', '-static-libgcc', '-s']),
        '-lbpf',
        '-lelf',
        '-lz',
        '-pthread',
        '-o',
        'OUTPUT',
      ],
    ],
  };
}
