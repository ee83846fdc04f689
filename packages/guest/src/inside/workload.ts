// The other side of the workload program: operations out, replies in.
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** What the workload says of one operation. */
export interface Reply {
  readonly op: string;
  /** -1 where the operation failed. */
  readonly ret: number;
  /** The name of the reason, `EACCES`; empty where it went well. */
  readonly error: string;
  /** What was read, or printed. */
  readonly data?: string;
  /** Of exec: how the program ended. */
  readonly status?: number;
  readonly signal?: number;
  /** Of hammer and parallel: how many went well, and how many failed, by reason. */
  readonly good?: number;
  readonly failed?: Readonly<Record<string, number>>;
  /** Of child: what it did, in order. */
  readonly replies?: readonly Reply[];
  readonly truncated?: number;
  readonly uid?: number;
  readonly pid?: number;
}

export type Operation = readonly [name: string, ...args: (string | number)[]];

/** One workload process, wherever it runs. */
export class Workload {
  readonly process: ChildProcess;
  private readonly input: Writable;
  private readonly waiting: ((line: string) => void)[] = [];
  private readonly unread: string[] = [];
  private ended = false;
  private complaint = '';

  constructor(child: ChildProcess) {
    this.process = child;
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null) throw new Error('a workload needs pipes to talk through');
    this.input = stdin;
    this.input.on('error', () => undefined);
    this.#read(stdout);
    stderr?.setEncoding('utf8').on('data', (text: string) => (this.complaint += text));
  }

  /** Its next reply: what it says without being asked comes first. */
  async next(): Promise<Reply> {
    const line = this.unread.shift() ?? (await this.#line());
    return JSON.parse(line) as Reply;
  }

  /** Tells a program that waits before it begins to go on. */
  go(): void {
    this.input.write('\n');
  }

  async do(...[name, ...args]: Operation): Promise<Reply> {
    this.input.write(`${[name, ...args].map((word) => encode(String(word))).join(' ')}\n`);
    const reply = await this.next();
    if (reply.op !== name) throw new Error(`asked for ${name}, answered ${JSON.stringify(reply)}`);
    if ('usage' in reply) throw new Error(`${name} ${args.join(' ')}: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** In a process of its own, whose changes to itself are gone afterwards; a reply for each. */
  async child(...operations: readonly Operation[]): Promise<readonly Reply[]> {
    const words = operations.flatMap((one, index) => (index === 0 ? one : [';', ...one]));
    const { replies = [] } = await this.do('child', ...words);
    if (replies.length !== operations.length) throw new Error(`the child died: ${JSON.stringify(replies)}`);
    return replies;
  }

  /** Sends an operation that has no reply, such as `become`. */
  send(...words: Operation): void {
    this.input.write(`${words.map((word) => encode(String(word))).join(' ')}\n`);
  }

  #read(output: Readable): void {
    const lines = createInterface({ input: output });
    lines.on('line', (line) => {
      const first = this.waiting.shift();
      if (first === undefined) this.unread.push(line);
      else first(line);
    });
    lines.on('close', () => {
      this.ended = true;
      for (const one of this.waiting.splice(0)) one('');
    });
  }

  async #line(): Promise<string> {
    const line = this.ended ? '' : await new Promise<string>((resolve) => this.waiting.push(resolve));
    if (line === '') throw new Error(`the workload ended: ${this.complaint}`);
    return line;
  }
}

/** Blanks separate words, and a line is an operation. */
function encode(word: string): string {
  return word.replace(
    /[% \n\t]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
