// One throttler process as a test looks at it: readiness, health, metrics, log.

import { runService, type RunningService, waitFor } from '@alert-throttle/test-kit';

export interface ReadyPartition {
  readonly partition: number;
  readonly phase: string;
  readonly position: number;
  readonly limits?: string;
  readonly problem?: string;
}

export interface Ready {
  readonly ok: boolean;
  readonly joined: boolean;
  /** The limits that are configured. */
  readonly limits: string;
  readonly partitions: readonly ReadyPartition[];
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export class ThrottlerRun {
  readonly service: RunningService;

  /** `main` starts it in another way than its own `main.ts`. */
  constructor(env: Readonly<Record<string, string | undefined>>, main?: string) {
    this.service = runService('throttler', main === undefined ? { env } : { env, main });
  }

  get log(): LogLine[] {
    return this.service.log as LogLine[];
  }

  /** Log lines with this text in their message. */
  logged(text: string): LogLine[] {
    return this.log.filter(({ msg }) => msg.includes(text));
  }

  /** Waits until every partition assigned to it is live; returns what it then says. */
  async ready(partitions = 1): Promise<Ready> {
    return this.until('readiness', async () => {
      const { status, body } = await this.#get('/readyz');
      const ready = body as Ready;
      return status === 200 && ready.partitions.length >= partitions ? ready : undefined;
    });
  }

  async readyz(): Promise<Ready> {
    return (await this.#get('/readyz')).body as Ready;
  }

  async health(): Promise<number> {
    return (await this.#get('/healthz')).status;
  }

  /** The sum over all labels that contain `label`; undefined where there is no such series. */
  async metric(name: string, label = ''): Promise<number | undefined> {
    const response = await fetch(`${await this.#address()}/metrics`);
    const values = (await response.text())
      .split('\n')
      .filter((line) => line.startsWith(`alert_throttle_${name}{`) && line.includes(label))
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  }

  /** Like waitFor, but ends at once where the process does, and shows its log. */
  async until<T>(
    what: string,
    condition: () => Promise<T | undefined | false>,
    timeoutMs = 60_000,
  ): Promise<T> {
    const shown = (problem: string, cause?: unknown): Error =>
      new Error(`${problem}; it printed:\n${this.service.output.slice(-8000)}`, { cause });
    const look = async (): Promise<{ found: T } | 'ended' | undefined> => {
      if (!this.service.running) return 'ended';
      const found = await condition();
      return found === undefined || found === false ? undefined : { found };
    };
    const seen = await waitFor(what, look, { timeoutMs }).catch((error: unknown) => {
      throw shown(String(error), error);
    });
    if (seen === 'ended') throw shown(`the throttler ended while waiting for ${what}`);
    return seen.found;
  }

  /** Waits for a log line whose message holds the text. */
  async says(text: string, timeoutMs?: number): Promise<LogLine> {
    return this.until(`"${text}"`, () => Promise.resolve(this.logged(text)[0]), timeoutMs);
  }

  /** TERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    return (await this.service.stop(30_000)).code;
  }

  /** KILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.service.kill('SIGKILL');
    await this.service.exited;
  }

  async #address(): Promise<string> {
    const port = await waitFor('its HTTP port', () => this.log.find((line) => 'port' in line)?.['port']);
    return `http://127.0.0.1:${String(port)}`;
  }

  async #get(path: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch((await this.#address()) + path);
    return { status: response.status, body: await response.json() };
  }
}
