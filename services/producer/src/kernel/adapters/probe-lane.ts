// One probing process and the questions to it, one after the other. A question that is not answered in time costs the
// process its life; the next question starts another.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { reasonOf } from '../../errors.ts';
import { decodeAnswer, encode, READY, type Answer, type Question } from './probe-protocol.ts';

export interface ProbeLaneOptions {
  /** The program of the process. */
  readonly program: string;
  /** For one answer, once the process is ready. */
  readonly deadlineMs: number;
}

/** No answer: the time was over, or there is no process to ask. */
export type NoAnswer = { readonly kind: 'late' } | { readonly kind: 'unavailable'; readonly reason: string };

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Node may need long to begin on a loaded machine. */
const START_MS = 120_000;
/** Processes that hang so hard that not even SIGKILL ends them; more of them would be a leak. */
const MAX_UNDEAD = 8;
const MAX_STDERR = 1_000;

export class ProbeLane {
  readonly #options: ProbeLaneOptions;
  #child: Child | undefined;
  #isReady = false;
  #turn: Promise<unknown> = Promise.resolve();
  #undead = 0;
  #closed = false;
  /** Of the question that is being asked. */
  #settle: ((line: string | NoAnswer) => void) | undefined;

  constructor(options: ProbeLaneOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  ask(question: Question): Promise<Answer | NoAnswer> {
    const turn = this.#turn.then(() => this.#ask(question)).catch(brokenBy);
    this.#turn = turn;
    return turn;
  }

  close(): void {
    this.#closed = true;
    this.#end({ kind: 'unavailable', reason: 'the producer ends' });
  }

  async #ask(question: Question): Promise<Answer | NoAnswer> {
    if (this.#closed) return { kind: 'unavailable', reason: 'the producer ends' };
    if (this.#undead >= MAX_UNDEAD)
      return { kind: 'unavailable', reason: `${this.#undead} processes hang in file systems of containers` };
    this.#child ??= this.#start();
    if (!this.#isReady) {
      const first = await this.#line(START_MS);
      if (typeof first !== 'string') return first.kind === 'late' ? SLOW_START : first;
      this.#isReady = true;
    }
    // The process may have ended while it had nothing to do.
    const child = this.#child as Child | undefined;
    if (child === undefined) return { kind: 'unavailable', reason: 'the probing process ended' };
    const line = this.#line(this.#options.deadlineMs);
    child.stdin.write(encode(question));
    const said = await line;
    return typeof said === 'string' ? decodeAnswer(said) : said;
  }

  #line(withinMs: number): Promise<string | NoAnswer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#end({ kind: 'late' }), withinMs);
      this.#settle = (line) => {
        clearTimeout(timer);
        this.#settle = undefined;
        resolve(line);
      };
    });
  }

  #start(): Child {
    const child = spawn(process.execPath, [this.#options.program], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      for (let end = out.indexOf('\n'); end >= 0; end = out.indexOf('\n')) {
        const line = out.slice(0, end);
        out = out.slice(end + 1);
        if (line === READY || this.#isReady) this.#settle?.(line);
      }
    });
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-MAX_STDERR)));
    const gone = (why: string): void => {
      if (this.#child === child)
        this.#end({ kind: 'unavailable', reason: `the probing process ${why}: ${errors.trim()}` });
    };
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => gone(`cannot be started: ${error.message}`));
    child.once('close', (code, signal) => gone(`ended with ${code ?? signal ?? ''}`));
    return child;
  }

  /** Of the process, and of the question with it. */
  #end(why: NoAnswer): void {
    const child = this.#child;
    this.#child = undefined;
    this.#isReady = false;
    if (child?.exitCode === null && child.signalCode === null) {
      this.#undead += 1;
      child.once('exit', () => (this.#undead -= 1));
      child.kill('SIGKILL');
      // One that does not end must not keep the producer from ending.
      child.unref();
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    }
    this.#settle?.(why);
  }
}

const SLOW_START: NoAnswer = { kind: 'unavailable', reason: `it did not begin within ${START_MS} ms` };

function brokenBy(error: unknown): NoAnswer {
  return { kind: 'unavailable', reason: reasonOf(error) };
}
