// Runs a program of the guest that has to succeed.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What it printed on its standard output. */
export async function command(file: string, ...args: string[]): Promise<string> {
  return (await run(file, args, { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 })).stdout;
}
