// Named points on the throttler's way, and the process that kills or stops itself at one of them.

import { AsyncLocalStorage } from 'node:async_hooks';
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** In the order in which they are passed. */
export const FAULT_POINTS = {
  claim: ['assigned', 'fenced', 'offset-read', 'checkpoint-loaded'],
  commit: [
    'fetched',
    'folded',
    'sending',
    'first-sent',
    'all-sent',
    'offsets-sent',
    'committing',
    'committed',
  ],
  update: ['update-ready', 'updating', 'updated'],
  replace: ['replace-ready', 'half-built', 'built', 'swapping', 'replaced'],
} as const;

export type FaultPoint = (typeof FAULT_POINTS)[keyof typeof FAULT_POINTS][number];

export interface Fault {
  readonly point: FaultPoint;
  /** Which passage of the point it is, counted from 1. */
  readonly passage: number;
  /** SIGSTOP: until the test sends SIGCONT. */
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  /** For points in the middle of a request: how long after it was sent. */
  readonly afterMs?: number;
  /** Passages count from SIGUSR2 on, not from the start. */
  readonly armedLater?: boolean;
  /** In place of the usual: the broker is not to end the transaction before somebody else does. */
  readonly transactionTimeoutMs?: number;
}

/** Messages of the lines in which a faulty process says what it does. */
export const STRUCK = 'the fault strikes';
export const WENT_ON = 'the commit that was stopped went on';

/** A signal that a process sends itself may reach this thread a moment later. */
const SIGNAL_TAKES_MS = 1000;

export class FaultTrigger {
  readonly fault: Fault;
  #armed: boolean;
  #passages = 0;
  readonly #commits = new AsyncLocalStorage<object>();
  /** The commit in which it struck. */
  #struckIn: object | undefined;

  constructor(fault: Fault) {
    this.fault = fault;
    this.#armed = fault.armedLater !== true;
  }

  arm(): void {
    this.#armed = true;
  }

  /** Runs a commit; if it is stopped in it and woken up, it says how the commit ended. */
  async watch(commit: () => Promise<void>): Promise<void> {
    const mark = {};
    const goneOn = (end: Readonly<Record<string, unknown>>): void => {
      if (this.#struckIn === mark) tell({ msg: WENT_ON, ...end });
    };
    try {
      await this.#commits.run(mark, commit);
      goneOn({ committed: true });
    } catch (error) {
      goneOn({ committed: false, why: String(error) });
      throw error;
    }
  }

  /** Passes the point; the process ends or stops here where this is the passage. */
  at(point: FaultPoint): void {
    if (this.isDue(point)) this.strike();
  }

  /** Passes the point in the middle of `request`, which is under way. */
  async during<T>(point: FaultPoint, request: Promise<T>): Promise<T> {
    if (!this.isDue(point)) return request;
    // Waited for below.
    request.catch(() => undefined);
    await sleep(this.fault.afterMs ?? 0);
    this.strike();
    return request;
  }

  /** Counts a passage; whoever asks has to strike. */
  isDue(point: FaultPoint): boolean {
    if (point !== this.fault.point || !this.#armed) return false;
    this.#passages += 1;
    return this.#passages === this.fault.passage;
  }

  strike(): void {
    this.#struckIn = this.#commits.getStore();
    tell({ msg: STRUCK, point: this.fault.point });
    process.kill(process.pid, this.fault.signal);
    // Nothing more of this thread runs until the signal has its effect.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SIGNAL_TAKES_MS);
  }
}

/** At once, whatever happens next; on a line of its own, whatever was cut off before. */
export function tell(line: Readonly<Record<string, unknown>>): void {
  writeSync(process.stderr.fd, `\n${JSON.stringify({ level: 'info', ...line })}\n`);
}
