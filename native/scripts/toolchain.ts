// The compilers and headers that the kernel source is built with: found, or named by the Debian package that has them.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Toolchain {
  readonly clang: string;
  readonly bpftool: string;
  readonly cxx: string;
  /** Debian's name of the machine, under which its C headers lie. */
  readonly multiarch: string;
}

export interface Missing {
  readonly what: string;
  readonly debianPackage: string;
}

export const OLDEST_CLANG = 14;

/** In the order in which they are tried: the one that the project is tested with first. */
const CLANGS = ['clang-16', 'clang', 'clang-19', 'clang-18', 'clang-17', 'clang-15', 'clang-14'];

const HEADERS: readonly { readonly file: string; readonly debianPackage: string }[] = [
  { file: 'bpf/libbpf.h', debianPackage: 'libbpf-dev' },
  { file: 'libelf.h', debianPackage: 'libelf-dev' },
  { file: 'zlib.h', debianPackage: 'zlib1g-dev' },
  { file: 'linux/bpf.h', debianPackage: 'linux-libc-dev' },
];

/** Debian keeps bpftool where only root's PATH leads. */
const ALSO_IN = ['/usr/sbin', '/sbin'];

export function findToolchain(): {
  readonly found: Toolchain | undefined;
  readonly missing: readonly Missing[];
} {
  const clang = CLANGS.map(onPath).find((file) => file !== undefined && majorOf(file) >= OLDEST_CLANG);
  const bpftool = onPath('bpftool');
  const cxx = onPath('g++');
  const missing: Missing[] = [];
  if (clang === undefined)
    missing.push({ what: `clang ${OLDEST_CLANG} or later`, debianPackage: 'clang-16' });
  if (bpftool === undefined) missing.push({ what: 'bpftool', debianPackage: 'bpftool' });
  if (cxx === undefined) missing.push({ what: 'g++', debianPackage: 'g++' });
  for (const { file, debianPackage } of HEADERS)
    if (!existsSync(join('/usr/include', file))) missing.push({ what: file, debianPackage });
  if (clang === undefined || bpftool === undefined || cxx === undefined || missing.length > 0)
    return { found: undefined, missing };
  return { found: { clang, bpftool, cxx, multiarch: multiarchOf(cxx) }, missing };
}

/** One line for people. */
export function describeMissing(missing: readonly Missing[]): string {
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
  return `missing ${missing.map(({ what }) => what).join(', ')} (Debian: apt-get install ${packages.join(' ')})`;
}

export function onPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...ALSO_IN];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function majorOf(clang: string): number {
  const { stdout } = spawnSync(clang, ['-dumpversion'], { encoding: 'utf8' });
  return Number.parseInt(stdout, 10);
}

function multiarchOf(cxx: string): string {
  const { stdout } = spawnSync(cxx, ['-print-multiarch'], { encoding: 'utf8' });
  const name = stdout.trim();
  return name === '' ? `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu` : name;
}
