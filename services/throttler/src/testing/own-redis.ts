// A Redis of one test's own, to be stopped, emptied and locked: the program that the system has, in a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { waitFor } from '@alert-throttle/test-kit';
import { Redis } from 'ioredis';

export class OwnRedis {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'alert-throttle-redis-'));
  #server: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
    process.once('exit', () => this.#server?.kill('SIGKILL'));
  }

  /** Started and answering. `args` as on the command line, such as `--requirepass`, `secret`. */
  static async start(...args: string[]): Promise<OwnRedis> {
    const redis = new OwnRedis(await freePort(), args);
    try {
      await redis.start();
      return redis;
    } catch (error) {
      await redis.close();
      throw error;
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const args = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--dir', this.#folder];
    this.#server = spawn(program(), [...args, ...this.#args], { argv0: 'redis-server', stdio: 'ignore' });
    await waitFor(`Redis on port ${this.port}`, () => this.answers());
  }

  /** Runs one command with a connection of its own. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const redis = new Redis({ port: this.port, lazyConnect: true, retryStrategy: () => null, protocol: 2 });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await redis.call(name, ...args);
    } finally {
      redis.disconnect();
    }
  }

  /** What it holds is gone. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }

  /** It keeps its connections, and answers nothing until `thaw`. */
  freeze(): void {
    this.#server?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#server?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Also where it asks for a password. */
  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = createConnection({ host: '127.0.0.1', port: this.port });
      const end = (answers: boolean): void => {
        socket.destroy();
        resolve(answers);
      };
      socket.setTimeout(1000, () => end(false));
      socket.once('error', () => end(false));
      socket.once('connect', () => socket.write('PING\r\n'));
      socket.once('data', (answer) => end(/^(\+PONG|-NOAUTH)/.test(answer.toString('latin1'))));
    });
  }
}

/** Debian has the server's program in redis-tools, too, under the name of a tool that is the same file. */
function program(): string {
  for (const name of ['redis-server', 'redis-check-rdb']) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not in this folder.
      }
    }
  }
  throw new Error('this test starts a Redis of its own and finds none: apt-get install redis-tools');
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('no free port'));
      });
    });
  });
}
