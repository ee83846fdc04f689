// The local stack as this run uses it. Several runs may share one: the last that is left stops it, and only if one of
// them started it. `npm run stack:up` before a run means that the stack stays.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stackDown, stackStatus, stackUp, type StackEnv, type TopicPlan } from '@alert-throttle/stack';

const USER_PREFIX = 'npm-start-';
/** Names the servers that runs like this one started, by their process ids. */
const OURS = 'started-by-npm-start';

/** The stack's own commands. */
export interface StackCommands {
  readonly up: typeof stackUp;
  readonly down: typeof stackDown;
  readonly status: typeof stackStatus;
}

export interface StackUseOptions {
  readonly dir: string;
  readonly topics: TopicPlan;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
  /** Process that uses the stack; this one where not given. */
  readonly pid?: number;
  readonly commands?: StackCommands;
}

export class StackUse {
  readonly #options: StackUseOptions;
  readonly #folder: string;
  readonly #mine: string;
  readonly #pid: number;
  readonly #commands: StackCommands;
  /** While `up` is under way: the servers that were there before it. */
  #before: readonly number[] | undefined;

  constructor(options: StackUseOptions) {
    this.#options = options;
    this.#commands = options.commands ?? { up: stackUp, down: stackDown, status: stackStatus };
    this.#pid = options.pid ?? process.pid;
    this.#folder = join(options.dir, 'run');
    this.#mine = join(this.#folder, `${USER_PREFIX}${this.#pid}`);
  }

  /** Rejects when the signal aborts; what this call started is stopped then. */
  async up(): Promise<StackEnv> {
    const { dir, log, signal, topics } = this.#options;
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(this.#mine, startTimeOf(this.#pid) ?? '');
    const runningBefore = await this.#serverPids();
    this.#before = runningBefore;
    const { env, started } = await this.#commands.up({ dir, log, signal, topics });
    if (!started) log('The stack was up already.');
    else if (runningBefore.length === 0)
      writeFileSync(join(this.#folder, OURS), (await this.#serverPids()).join(' '));
    this.#before = undefined;
    return env;
  }

  /** Stops the stack where that is ours to do. Tells whether it goes on. */
  async release(): Promise<{ readonly goesOn: boolean }> {
    rmSync(this.#mine, { force: true });
    const running = await this.#serverPids();
    if (running.length === 0) return { goesOn: false };
    if (this.#othersUseIt() || !this.#startedByUs(running)) return { goesOn: true };
    await this.#commands.down({ dir: this.#options.dir, log: this.#options.log });
    rmSync(join(this.#folder, OURS), { force: true });
    return { goesOn: false };
  }

  /** Kills the servers where they are ours to stop. Their data survive that, as they survive a power cut. */
  async kill(): Promise<void> {
    rmSync(this.#mine, { force: true });
    const before = this.#before;
    const running = (await this.#serverPids()).filter((pid) => before?.includes(pid) !== true);
    if (running.length === 0 || this.#othersUseIt()) return;
    if (before === undefined && !this.#startedByUs(running)) return;
    for (const pid of running) killGroup(pid);
  }

  async #serverPids(): Promise<number[]> {
    const servers = await this.#commands.status({ dir: this.#options.dir });
    return servers.map(({ pid }) => pid).filter((pid) => pid !== undefined);
  }

  #startedByUs(running: readonly number[]): boolean {
    const started = readIfThere(join(this.#folder, OURS))?.split(' ').map(Number) ?? [];
    return running.every((pid) => started.includes(pid));
  }

  #othersUseIt(): boolean {
    return readdirSync(this.#folder)
      .filter((name) => name.startsWith(USER_PREFIX))
      .some((name) => {
        const pid = Number(name.slice(USER_PREFIX.length));
        const startTime = startTimeOf(pid);
        return startTime !== undefined && startTime === readIfThere(join(this.#folder, name));
      });
  }
}

/** When the process was started, in clock ticks since boot; tells it from a later one with the same number. */
function startTimeOf(pid: number): string | undefined {
  // The name in parentheses may hold blanks; the start time is field 22, counted from 1.
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
