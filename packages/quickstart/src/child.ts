// A service as a child process: its output goes to a log file, and it is always stopped before we are gone.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** A stop is graceful for this long. */
export const STOP_GRACE_MS = 10_000;
const TAIL_LINES = 20;

export interface ChildOptions {
  /** For messages: `throttler`, `producer`. */
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly name: string;
  /** Resolves when the process is gone; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #logFile: string;
  #stopping = false;

  /** Starts at once. Standard input is a pipe. */
  constructor({ name, script, args, env, logFile }: ChildOptions) {
    this.name = name;
    this.#logFile = logFile;
    const log = openSync(logFile, 'a');
    // In a process group of its own: Ctrl-C in the terminal reaches only us, and we stop it once, in our order.
    this.#process = spawn(process.execPath, [script, ...args], {
      env,
      detached: true,
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.#process.once('error', () => resolve({ code: null, signal: null }));
    this.#process.once('exit', (code, signal) => resolve({ code, signal }));
    this.exited = promise;
    // A child that ends before it has read everything is noticed by its exit.
    this.stdin.on('error', () => undefined);
  }

  get stdin(): Writable {
    if (!this.#process.stdin) throw new Error('standard input is a pipe');
    return this.#process.stdin;
  }

  /** Somebody told it to end. */
  get isStopping(): boolean {
    return this.#stopping;
  }

  get #isRunning(): boolean {
    return (
      this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    );
  }

  /** SIGTERM, and SIGKILL where that takes too long. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (!this.#isRunning) return;
    this.#process.kill('SIGTERM');
    this.stdin.destroy();
    const timer = setTimeout(() => this.kill(), STOP_GRACE_MS);
    await this.exited;
    clearTimeout(timer);
  }

  /** At once. */
  kill(): void {
    this.#stopping = true;
    if (this.#isRunning) this.#process.kill('SIGKILL');
  }

  /** Its last words. */
  logTail(): string {
    const lines = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n');
    return lines.slice(-TAIL_LINES).join('\n');
  }
}

/** A service ended by itself when it should not have. */
export class ChildFailed extends Error {
  readonly child: Child;

  constructor(child: Child, { code, signal }: Exit) {
    super(`the ${child.name} ended unexpectedly (${signal ?? `exit code ${code ?? 'unknown'}`})`);
    this.name = 'ChildFailed';
    this.child = child;
  }
}
