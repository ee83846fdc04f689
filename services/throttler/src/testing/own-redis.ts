// A Redis of one test's own, to be stopped, frozen, emptied, rolled back and locked: the program that the system has,
// in a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { redisServer, waitFor } from '@alert-throttle/test-kit';
import { Redis } from 'ioredis';

/** With these it still has everything after a kill. */
export const KEEPS_DATA = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** What a Redis held at some time. */
export type Snapshot = Buffer;

export class OwnRedis {
  readonly port: number;
  /** Of the default user, for `command`. */
  password: string | undefined;
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

  /** With the default user's password, for who looks into it. */
  get ownersUrl(): string {
    return this.password === undefined ? this.url : this.url.replace('//', `//:${this.password}@`);
  }

  async start(): Promise<void> {
    const { file, argv0 } = redisServer();
    const args = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--dir', this.#folder];
    this.#server = spawn(file, [...args, ...this.#args], { argv0, stdio: 'ignore' });
    await waitFor(`Redis on port ${this.port}`, () => this.answers());
  }

  /** Runs one command with a connection of its own. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const { port, password } = this;
    const options = { port, lazyConnect: true, retryStrategy: () => null, protocol: 2 } as const;
    const redis = new Redis(password === undefined ? options : { ...options, password });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await redis.call(name, ...args);
    } finally {
      redis.disconnect();
    }
  }

  /** Cuts all connections; who comes back must log in again. */
  async cutAll(): Promise<void> {
    await this.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  }

  /** What it holds is gone, unless it was started with KEEPS_DATA or rolled back before. */
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

  /** A copy of all that it holds now. */
  async snapshot(): Promise<Snapshot> {
    await this.command('SAVE');
    return readFileSync(this.#dump);
  }

  /** Stopped, given an older copy, and started. */
  async rollBack(snapshot: Snapshot): Promise<void> {
    await this.stop();
    writeFileSync(this.#dump, snapshot);
    await this.start();
  }

  /** The same without its clients noticing: no connection is cut. Needs `--enable-debug-command yes`. */
  async rollBackUnnoticed(snapshot: Snapshot): Promise<void> {
    writeFileSync(this.#dump, snapshot);
    await this.command('DEBUG', 'RELOAD', 'NOSAVE');
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #dump(): string {
    return join(this.#folder, 'dump.rdb');
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
