// Where the view appears: a terminal, with a part that is drawn over and over, or plain lines.
import type { Writable } from 'node:stream';
import { createLogUpdate } from 'log-update';

export interface Screen {
  /** With a terminal there is a live part; without one a status line is printed now and then instead. */
  readonly isLive: boolean;
  readonly columns: number;
  readonly rows: number;
  /** Prints text that stays. */
  print(text: string): void;
  /** Replaces the live part. */
  live(text: string): void;
  /** Removes the live part; what was printed stays. */
  endLive(): void;
}

/** A terminal, or what stands in for one. */
export type Output = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

const PLAIN_COLUMNS = 110;
const PLAIN_ROWS = 24;

export function createScreen(output: Output): Screen {
  return output.isTTY === true ? new TerminalScreen(output) : new LineScreen(output);
}

class LineScreen implements Screen {
  readonly isLive = false;
  readonly columns = PLAIN_COLUMNS;
  readonly rows = PLAIN_ROWS;
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  print(text: string): void {
    this.#output.write(`${text}\n`);
  }

  live(): void {
    // Nothing is drawn over where lines are read one after the other.
  }

  endLive(): void {
    // Nothing was drawn.
  }
}

class TerminalScreen implements Screen {
  readonly isLive = true;
  readonly #output: Output;
  readonly #update: ReturnType<typeof createLogUpdate>;
  #drawn = '';

  constructor(output: Output) {
    this.#output = output;
    this.#update = createLogUpdate(output);
  }

  get columns(): number {
    return this.#output.columns ?? PLAIN_COLUMNS;
  }

  get rows(): number {
    return this.#output.rows ?? PLAIN_ROWS;
  }

  print(text: string): void {
    this.#update.persist(text);
    if (this.#drawn !== '') this.#update(this.#drawn);
  }

  live(text: string): void {
    this.#drawn = text;
    this.#update(text);
  }

  endLive(): void {
    this.#drawn = '';
    this.#update.clear();
    this.#update.done();
  }
}
