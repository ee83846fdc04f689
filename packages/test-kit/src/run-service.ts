// Runs a service as its users do: as a process of its own, with environment, arguments and signals.
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { checkout } from './checkout.ts';
import { waitFor, type WaitOptions } from './wait-for.ts';

export type ServiceName = 'producer' | 'throttler';

const MAIN: Readonly<Record<ServiceName | 'alertctl', string>> = {
  producer: join(checkout, 'services', 'producer', 'src', 'main.ts'),
  throttler: join(checkout, 'services', 'throttler', 'src', 'main.ts'),
  alertctl: join(checkout, 'packages', 'alertctl', 'src', 'main.ts'),
};

/** Node 24, whatever runs the tests. */
const NODE = join(checkout, 'node_modules', '.bin', 'node');

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunServiceOptions {
  /** On top of the stack's addresses; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly args?: readonly string[];
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Buffer;
  readonly cwd?: string;
  /** A program that becomes the service: its arguments end with the service's own command. */
  readonly via?: readonly [string, ...string[]];
  /** The file to run instead of the service's own: it starts the service in its own way. */
  readonly main?: string;
}

export class RunningService {
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly name: string;
  private out = '';
  private err = '';

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    // A test that does not look at the exit is not to fail by an unhandled rejection.
    this.exited.catch(() => undefined);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.child.pid;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get stdout(): string {
    return this.out;
  }

  get stderr(): string {
    return this.err;
  }

  /** Both streams, standard output first. */
  get output(): string {
    return this.out + this.err;
  }

  /** The lines of its JSON log, so far. */
  get log(): Record<string, unknown>[] {
    return this.output.split('\n').flatMap(parseLine);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** TERM, as an orchestrator would; KILL after the grace. */
  async stop(graceMs = 15_000): Promise<Exit> {
    if (this.running) this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for an exit; its output is in the error where it does not come. */
  async exit(timeoutMs = 60_000): Promise<Exit> {
    await this.until('its exit', () => !this.running, { timeoutMs });
    return this.exited;
  }

  /** Waits for a text in the output; fails at once where the service ends without it. */
  async printed(text: string | RegExp, options?: WaitOptions): Promise<void> {
    const found = (): boolean =>
      typeof text === 'string' ? this.output.includes(text) : text.test(this.output);
    await this.until(String(text), () => found() || !this.running, options);
    if (!this.running) await this.exited;
    if (!found()) throw new Error(`${this.name} ended without ${String(text)}; it printed:\n${this.output}`);
  }

  private async until(what: string, condition: () => boolean, options?: WaitOptions): Promise<void> {
    try {
      await waitFor(`${what} of ${this.name}`, condition, options);
    } catch (error) {
      throw new Error(`${String(error)}; it printed:\n${this.output.slice(-8_000)}`, { cause: error });
    }
  }
}

function parseLine(line: string): Record<string, unknown>[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line) as Record<string, unknown>];
  } catch {
    return [];
  }
}

/**
 * Starts a service against the stack of this run, on free HTTP ports. Started in a test, it ends with the test at the
 * latest; started in a hook, it is the hook's to stop.
 */
export function runService(name: ServiceName | 'alertctl', options: RunServiceOptions = {}): RunningService {
  const { env = {}, args = [], input, cwd = checkout, main = MAIN[name], via } = options;
  const [program, ...rest] = [...(via ?? []), NODE, main, ...args] as const;
  const child = spawn(program, rest, {
    cwd,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], HTTP_PORT: '0', ...inject('stack'), ...env },
  });
  child.stdin?.on('error', () => undefined).end(input);
  const service = new RunningService(name, child);
  const kill = (): void => service.kill('SIGKILL');
  process.once('exit', kill);
  void service.exited.finally(() => process.off('exit', kill)).catch(() => undefined);
  endWithTest(service);
  return service;
}

function endWithTest(service: RunningService): void {
  try {
    onTestFinished(async () => {
      if (service.running) service.kill('SIGKILL');
      await service.exited;
    });
  } catch {
    // Not inside of a test.
  }
}
