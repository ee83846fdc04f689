// Programs of other ecosystems that a test needs: found, or installed where that is allowed, or asked for by name.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { checkout } from '@alert-throttle/test-kit';

const MEBIBYTE = 1024 * 1024;
const runFile = promisify(execFile);

/** Standard output, as bytes. Throws with what it wrote to standard error. */
export async function output(file: string, args: readonly string[]): Promise<Buffer> {
  const { stdout } = await runFile(file, [...args], { encoding: 'buffer', maxBuffer: 256 * MEBIBYTE });
  return stdout;
}

async function works(file: string, args: readonly string[]): Promise<boolean> {
  return output(file, args).then(
    () => true,
    () => false,
  );
}

/** The program, installed from that Debian package if it does not run yet and this is root. */
export async function installed(
  program: string,
  probe: readonly string[],
  debianPackage: string,
): Promise<void> {
  if (await works(program, probe)) return;
  const missing = `${program} is missing, which this test reads the topic with`;
  const command = `apt-get install ${debianPackage}`;
  if (process.getuid?.() !== 0) throw new Error(`${missing}. On Debian and Ubuntu: sudo ${command}`);
  process.stdout.write(`Installing with apt-get, as root: ${debianPackage}\n`);
  const install = [
    'install',
    '-y',
    '-q',
    '--no-install-recommends',
    '-o',
    'DPkg::Lock::Timeout=120',
    debianPackage,
  ];
  if (!(await works('apt-get', install))) {
    await works('apt-get', ['update', '-q']);
    await works('apt-get', install);
  }
  if (!(await works(program, probe))) throw new Error(`${missing}, and "${command}" did not help`);
}

/** A Python with what the requirements file says, in the checkout's cache. Returns its path. */
export async function pythonWith(requirements: string): Promise<string> {
  await installed('python3', ['-c', 'import ensurepip, venv'], 'python3-venv');
  const wanted = readFileSync(requirements, 'utf8') + (await output('python3', ['-VV'])).toString();
  const hash = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
  const folder = join(checkout, '.cache', `python-${hash}`);
  const python = join(folder, 'bin', 'python');
  // Written last: a folder without it is half an installation.
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return python;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(checkout, '.cache'), { recursive: true });
  await output('python3', ['-m', 'venv', folder]);
  await output(python, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
  writeFileSync(complete, '');
  return python;
}
