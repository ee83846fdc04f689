// What compiles the kernel source for arm64 on another machine: Debian's cross compiler, and the libraries of that machine
// out of Debian's packages, unpacked in a folder. Nothing is added to the architectures of this system.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUILD } from './products.ts';
import { onPath } from './toolchain.ts';

const run = promisify(execFile);

export interface Arm64 {
  readonly cxx: string;
  /** Root of a tree with the headers and libraries. */
  readonly sysroot: string;
}

const COMPILER = { program: 'aarch64-linux-gnu-g++', debianPackage: 'g++-aarch64-linux-gnu' } as const;
const LIBRARIES = ['libbpf-dev', 'libbpf1', 'libelf-dev', 'libelf1', 'zlib1g-dev', 'zlib1g'] as const;

/** All of it, or why it cannot be had. */
export async function provideArm64(): Promise<Arm64 | { readonly missing: string }> {
  const apt = onPath('apt-get');
  if (onPath(COMPILER.program) === undefined && (process.getuid?.() !== 0 || apt === undefined))
    return { missing: `no ${COMPILER.program} here (Debian: apt-get install ${COMPILER.debianPackage})` };
  if (apt === undefined) return { missing: 'no apt-get here to get libbpf for arm64 with' };
  try {
    const cxx = onPath(COMPILER.program) ?? (await installCompiler(apt));
    return { cxx, sysroot: await librariesFor(apt) };
  } catch (error) {
    return { missing: error instanceof Error ? error.message.trim() : String(error) };
  }
}

async function installCompiler(apt: string): Promise<string> {
  const options = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
  const install = async (): Promise<unknown> =>
    await run(apt, [...options, 'install', COMPILER.debianPackage], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      maxBuffer: 1 << 26,
    });
  // Most often, where it fails, the lists are missing or old.
  await install().catch(async () => {
    await run(apt, ['-q', 'update']);
    await install();
  });
  const cxx = onPath(COMPILER.program);
  if (cxx === undefined) throw new Error(`${COMPILER.debianPackage} brought no ${COMPILER.program}`);
  return cxx;
}

/** Lists and cache of apt lie in a folder of their own: this machine's know nothing of arm64. */
async function librariesFor(apt: string): Promise<string> {
  const folder = join(BUILD, 'arm64');
  const sysroot = join(folder, 'sysroot');
  const whole = join(folder, 'whole');
  if (existsSync(whole)) return sysroot;
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['lists/partial', 'cache/archives/partial', 'packages'])
    mkdirSync(join(folder, part), { recursive: true });
  const options = [
    'APT::Architectures::=arm64',
    `Dir::State::Lists=${join(folder, 'lists')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'Acquire::Languages=none',
    'APT::Sandbox::User=',
  ].flatMap((option) => ['-o', option]);
  const packages = join(folder, 'packages');
  await run(apt, [...options, '-q', 'update'], { maxBuffer: 1 << 26 });
  const names = LIBRARIES.map((name) => `${name}:arm64`);
  await run(apt, [...options, '-q', 'download', ...names], { cwd: packages, maxBuffer: 1 << 26 });
  for (const file of readdirSync(packages)) await run('dpkg-deb', ['-x', join(packages, file), sysroot]);
  for (const part of ['lists', 'cache', 'packages']) rmSync(join(folder, part), { recursive: true });
  writeFileSync(whole, '');
  return sysroot;
}
