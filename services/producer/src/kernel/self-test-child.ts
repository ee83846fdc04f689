// The other end of the self-test: runs inside the cgroup that it registered, tries what must be refused, and says how each
// attempt ended. Written in plain calls of Node, as it is to fail only by what it tries.
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { closeSync, openSync, unlinkSync } from 'node:fs';

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** `passed`, or the code of the error. */
function attempt(action: () => void): string {
  try {
    action();
    return 'passed';
  } catch (error) {
    return codeOf(error);
  }
}

function run(path: string): void {
  const { error } = spawnSync(path);
  if (error) throw error;
}

async function bind(): Promise<string> {
  const socket = createSocket('udp4');
  const bound = new Promise<string>((resolve) => {
    socket.once('error', (error) => resolve(codeOf(error)));
    socket.bind(0, '127.0.0.1', () => resolve('passed'));
  });
  const outcome = await bound;
  socket.close();
  return outcome;
}

const [open = '', unlink = '', exec = ''] = process.argv.slice(2);
const outcomes = {
  open: attempt(() => closeSync(openSync(open, 'r'))),
  unlink: attempt(() => unlinkSync(unlink)),
  exec: attempt(() => run(exec)),
  socketCreate: await bind(),
  capable: attempt(() => process.setgroups?.([])),
};
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
