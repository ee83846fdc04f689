// One command at a time changes a stack: two that start the same servers at once would spoil each other's data.
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { StackError } from './errors.ts';
import { pause } from './pause.ts';

const POLL_MS = 200;
const PATIENCE_MS = 300_000;

export interface LockOptions {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the work while this process alone holds the folder. The lock is the name of a socket, in Linux's abstract
 * namespace (unix(7)): the kernel gives it to one process only, and takes it back however that process ends.
 */
export async function withLock<T>(
  dir: string,
  { log, signal }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(dir, { recursive: true });
  const name = `\0alert-throttle-stack-${createHash('sha256').update(realpathSync(dir)).digest('hex').slice(0, 32)}`;
  const lock = await acquire(name, dir, log, signal);
  try {
    return await work();
  } finally {
    await new Promise((closed) => lock.close(closed));
  }
}

async function acquire(
  name: string,
  dir: string,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<Server> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    const lock = await take(name);
    if (lock !== undefined) return lock;
    if (waitedMs === 0) log(`Another command is changing the stack in ${dir}; waiting for it ...`);
    await pause(POLL_MS, signal);
  }
  throw new StackError(
    'BUSY',
    `another command is still changing the stack in ${dir} after ${PATIENCE_MS / 1000} s`,
  );
}

function take(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server));
  });
}
