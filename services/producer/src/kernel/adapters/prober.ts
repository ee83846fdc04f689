// Asks about containers without ever waiting for their file systems: in a process of its own, with a deadline.
//
// A container that has not answered once is asked in another process, the slow lane, path by path, so that it holds up only
// its like; and what did not answer there is left alone for a while, longer each time.
import { join } from 'node:path';
import { ProbeLane, type NoAnswer } from './probe-lane.ts';
import type { Answer } from './probe-protocol.ts';
import type { ProcessFacts } from './processes.ts';

export interface Targets {
  /** The process was there all the time: what it says is of this container. */
  readonly isThere: boolean;
  readonly targets: ReadonlyMap<string, string | undefined>;
  /** By path, why it was not answered. */
  readonly unanswered: ReadonlyMap<string, string>;
}

/** What the source needs of it; `container` is a cgroup's id. */
export interface Prober {
  /** Undefined: the process is gone, or there is no answer. */
  facts(container: bigint, pid: number): Promise<ProcessFacts | undefined>;
  paths(
    container: bigint,
    process: Pick<ProcessFacts, 'pid' | 'startedAt'>,
    paths: readonly string[],
  ): Promise<Targets>;
  /** It did not answer lately: nothing should wait for it. */
  isSlow(container: bigint): boolean;
  forget(container: bigint): void;
  close(): void;
}

export interface ProberOptions {
  readonly nowMs: () => number;
  readonly program?: string;
  readonly deadlineMs?: number;
}

interface Silence {
  readonly untilMs: number;
  readonly forMs: number;
}

const PROGRAM = join(import.meta.dirname, 'probe-child.ts');
const DEADLINE_MS = 5_000;
const FIRST_SILENCE_MS = 30_000;
const LONGEST_SILENCE_MS = 600_000;
/** In one go: each costs the deadline and a process. */
const MAX_LATE = 2;
/** Stands for the root in the list of paths that did not answer. */
const ROOT = '/';

export class ChildProber implements Prober {
  readonly #options: Required<ProberOptions>;
  readonly #fast: ProbeLane;
  readonly #slow: ProbeLane;
  /** By container, then by path. */
  readonly #silent = new Map<bigint, Map<string, Silence>>();

  constructor({ program = PROGRAM, deadlineMs = DEADLINE_MS, nowMs }: ProberOptions) {
    this.#options = { program, deadlineMs, nowMs };
    this.#fast = new ProbeLane({ program, deadlineMs });
    this.#slow = new ProbeLane({ program, deadlineMs });
  }

  async facts(container: bigint, pid: number): Promise<ProcessFacts | undefined> {
    if (this.#isSilent(container, ROOT)) return undefined;
    const answer = await this.#lane(container).ask({ kind: 'facts', pid });
    if (answer.kind === 'late') this.#silence(container, ROOT);
    if (answer.kind !== 'facts') return undefined;
    this.#speaks(container, ROOT);
    return answer.facts;
  }

  async paths(
    container: bigint,
    process: Pick<ProcessFacts, 'pid' | 'startedAt'>,
    paths: readonly string[],
  ): Promise<Targets> {
    const wasSlow = this.isSlow(container);
    const { pid, startedAt } = process;
    if (!wasSlow) {
      const answer = await this.#fast.ask({ kind: 'paths', pid, startedAt, paths });
      if (answer.kind !== 'late') return this.#targets(answer, paths);
      // From now on in the other lane; which path it was is not known.
      this.#silent.set(container, new Map());
    }
    return await this.#oneByOne(container, process, paths);
  }

  isSlow(container: bigint): boolean {
    return this.#silent.has(container);
  }

  forget(container: bigint): void {
    this.#silent.delete(container);
  }

  close(): void {
    this.#fast.close();
    this.#slow.close();
  }

  async #oneByOne(
    container: bigint,
    { pid, startedAt }: Pick<ProcessFacts, 'pid' | 'startedAt'>,
    paths: readonly string[],
  ): Promise<Targets> {
    const targets = new Map<string, string | undefined>();
    const unanswered = new Map<string, string>();
    const late = `no answer within ${this.#options.deadlineMs / 1_000} s`;
    let lates = 0;
    for (const path of paths) {
      if (lates >= MAX_LATE || this.#isSilent(container, path)) {
        unanswered.set(path, lates >= MAX_LATE ? 'not asked yet' : late);
        continue;
      }
      const answer = await this.#slow.ask({ kind: 'paths', pid, startedAt, paths: [path] });
      if (answer.kind === 'late') {
        lates += 1;
        this.#silence(container, path);
        unanswered.set(path, late);
        continue;
      }
      const one = this.#targets(answer, [path]);
      if (!one.isThere) return { ...one, unanswered: new Map([...unanswered, ...one.unanswered]) };
      this.#speaks(container, path);
      for (const [key, target] of one.targets) targets.set(key, target);
      for (const [key, reason] of one.unanswered) unanswered.set(key, reason);
    }
    if (unanswered.size === 0) this.#silent.delete(container);
    return { isThere: true, targets, unanswered };
  }

  #targets(answer: Answer | Exclude<NoAnswer, { kind: 'late' }>, paths: readonly string[]): Targets {
    if (answer.kind === 'paths')
      return { isThere: answer.isThere, targets: answer.targets, unanswered: answer.errors };
    const reason = answer.kind === 'unavailable' ? answer.reason : 'another answer';
    return { isThere: true, targets: new Map(), unanswered: new Map(paths.map((path) => [path, reason])) };
  }

  #lane(container: bigint): ProbeLane {
    return this.isSlow(container) ? this.#slow : this.#fast;
  }

  #isSilent(container: bigint, path: string): boolean {
    return (this.#silent.get(container)?.get(path)?.untilMs ?? 0) > this.#options.nowMs();
  }

  #silence(container: bigint, path: string): void {
    const silent = this.#silent.get(container) ?? new Map<string, Silence>();
    const before = silent.get(path)?.forMs;
    const forMs = before === undefined ? FIRST_SILENCE_MS : Math.min(before * 2, LONGEST_SILENCE_MS);
    silent.set(path, { untilMs: this.#options.nowMs() + forMs, forMs });
    this.#silent.set(container, silent);
  }

  #speaks(container: bigint, path: string): void {
    this.#silent.get(container)?.delete(path);
  }
}
