// Programs of other ecosystems that a test needs: found, or installed where that is allowed, or asked for by name.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { provide, type Need } from '@alert-throttle/stack';
import { checkout } from '@alert-throttle/test-kit';

const MEBIBYTE = 1024 * 1024;
const runFile = promisify(execFile);

/** Standard output, as bytes. Throws with what it wrote to standard error. */
export async function output(file: string, args: readonly string[]): Promise<Buffer> {
  const { stdout } = await runFile(file, [...args], { encoding: 'buffer', maxBuffer: 256 * MEBIBYTE });
  return stdout;
}

/** Throws with the names of the packages where the programs are missing and cannot be installed. */
async function needed(needs: Readonly<Record<string, Need<true>>>): Promise<void> {
  await provide(needs, { log: (line) => void process.stdout.write(`${line}\n`) });
}

/** It is not enough that a program is there: Debian's Python is, without what makes environments. */
function need(what: string, packages: readonly string[], probe: readonly [string, ...string[]]): Need<true> {
  const [file, ...args] = probe;
  const find = (): Promise<true | undefined> =>
    output(file, args).then(
      () => true,
      () => undefined,
    );
  return { what, packages, find };
}

export function kcatInstalled(): Promise<void> {
  return needed({ kcat: need('kcat', ['kcat'], ['kcat', '-V']) });
}

/** A Python with what the requirements file says, in the checkout's cache. Returns its path. */
export async function pythonWith(requirements: string): Promise<string> {
  const venv = need('python3 with venv', ['python3-venv'], ['python3', '-c', 'import ensurepip, venv']);
  await needed({ venv });
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
