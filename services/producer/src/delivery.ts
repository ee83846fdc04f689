// Spool to broker: the oldest records first, one send at a time, each until the broker has it.
import { RECORD_KINDS, type RecordKind } from './core/record.ts';
import { ProducerError, reasonOf } from './errors.ts';
import type { AlertSink, Clock, Logger, ReadLimits, Spool, SpooledRecord } from './ports.ts';
import type { Observer } from './totals.ts';
import type { Wakeup } from './wakeup.ts';

export interface DeliveryOptions {
  readonly spool: Spool;
  readonly sink: AlertSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: Observer;
  /** Tells when there is something to send. */
  readonly stored: Wakeup;
  /** Told when the broker has acknowledged something. */
  readonly acknowledged: Wakeup;
}

const READ_LIMITS: ReadLimits = { maxRecords: 3_000, maxBytes: 4 * 1024 * 1024 };

/** Nothing to send for so long: then the connection is tried anyway, so that a wrong address is noticed early. */
const IDLE_CONNECT_MS = 1_000;
const IDLE_MS = 30_000;

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;

/** While nothing goes through, the log says so every so often. */
const TROUBLE_LOG_MS = 5_000;

/** Without an answer for so long, the log says so. */
const SILENT_MS = 5_000;

interface Trouble {
  readonly sinceMs: number;
  readonly reason: string;
  readonly loggedAtMs: number;
  readonly attempts: number;
}

export class Delivery {
  readonly produced: Record<RecordKind, number> = { alert: 0, tombstone: 0, deadLetter: 0, alertsLost: 0 };
  readonly #options: DeliveryOptions;
  readonly #allRead = new AbortController();
  #lastAcknowledgedAtMs: number;
  #connected = false;
  #trouble: Trouble | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#lastAcknowledgedAtMs = options.clock.nowMs();
  }

  /** Before the first acknowledgement, the time of the start. */
  get lastAcknowledgedAtMs(): number {
    return this.#lastAcknowledgedAtMs;
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  /** What stands in the way, if nothing goes through. */
  get trouble(): string | undefined {
    return this.#trouble?.reason;
  }

  /** Nothing more will come into the spool: run() ends once it is empty. */
  finish(): void {
    this.#allRead.abort();
  }

  /** Resolves to true when the spool is empty after finish(), to false when `stop` aborted before. */
  async run(stop: AbortSignal): Promise<boolean> {
    const { spool, stored } = this.#options;
    while (!stop.aborted) {
      const records = spool.read(READ_LIMITS);
      if (records.length > 0) {
        await this.#deliver(records, stop);
        continue;
      }
      spool.flush();
      if (this.#isFinishing()) return true;
      const idleMs = this.#connected ? IDLE_MS : IDLE_CONNECT_MS;
      await stored.wait(idleMs, AbortSignal.any([stop, this.#allRead.signal]));
      if (!this.#connected && spool.usage().records === 0 && !this.#isFinishing())
        await this.#tryOnce(() => this.#options.sink.connect(), stop);
    }
    return false;
  }

  #isFinishing(): boolean {
    return this.#allRead.signal.aborted;
  }

  async #deliver(records: readonly SpooledRecord[], stop: AbortSignal): Promise<void> {
    const { spool, sink, clock, observer, acknowledged } = this.#options;
    for (let next = 0; next < records.length && !stop.aborted;) {
      let part: readonly SpooledRecord[] = [];
      const startedAtMs = clock.nowMs();
      const sent = await this.#tryOnce(async () => {
        await sink.connect();
        part = records.slice(next, next + sink.fit(records.slice(next)));
        await sink.send(part);
      }, stop);
      if (!sent) continue;
      next += part.length;
      spool.acknowledge(part.length);
      this.#lastAcknowledgedAtMs = clock.nowMs();
      this.#count(part);
      observer.sent((this.#lastAcknowledgedAtMs - startedAtMs) / 1000);
      acknowledged.notify();
    }
  }

  /** Whether it worked. After a failure that may pass, it waits a moment, longer each time; other failures are thrown. */
  async #tryOnce(action: () => Promise<void>, stop: AbortSignal): Promise<boolean> {
    const answered = new AbortController();
    void this.#sayWhileSilent(answered.signal);
    try {
      if (!(await beforeAbort(action(), stop))) return false;
    } catch (error) {
      this.#connected = false;
      if (!isRetryable(error)) throw error;
      this.#options.observer.sendFailed();
      this.#noteTrouble(error);
      const attempts = this.#trouble?.attempts ?? 1;
      const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(attempts - 1, 10));
      await this.#options.clock.sleep(backoffMs, stop);
      return false;
    } finally {
      answered.abort('answered');
    }
    this.#connected = true;
    this.#noteSuccess();
    return true;
  }

  /** A broker that accepts connections and then says nothing is trouble long before any timeout. */
  async #sayWhileSilent(answered: AbortSignal): Promise<void> {
    const { clock, sink } = this.#options;
    for (let seconds = SILENT_MS / 1000; ; seconds += SILENT_MS / 1000) {
      await clock.sleep(SILENT_MS, answered);
      if (answered.aborted) return;
      this.#connected = false;
      this.#noteTrouble(
        new ProducerError('SEND_TIMEOUT', `${sink.target} has not answered for ${seconds} s`),
      );
    }
  }

  #noteTrouble(error: unknown): void {
    const { clock, logger, spool } = this.#options;
    const nowMs = clock.nowMs();
    const reason = reasonOf(error);
    const before = this.#trouble;
    const sinceMs = before?.sinceMs ?? nowMs;
    const attempts = (before?.attempts ?? 0) + 1;
    const isNews = before?.reason !== reason || nowMs - before.loggedAtMs >= TROUBLE_LOG_MS;
    this.#trouble = { sinceMs, reason, attempts, loggedAtMs: isNews ? nowMs : before.loggedAtMs };
    if (!isNews) return;
    const { records, bytes } = spool.usage();
    logger.warn(
      { reason, attempts, forMs: nowMs - sinceMs, spoolRecords: records, spoolBytes: bytes },
      `${reason}; trying again, ${records} records wait in the spool`,
    );
  }

  #noteSuccess(): void {
    if (this.#trouble === undefined) return;
    const { clock, logger, sink } = this.#options;
    const forMs = clock.nowMs() - this.#trouble.sinceMs;
    this.#trouble = undefined;
    logger.info({ forMs }, `${sink.target} takes records again after ${Math.round(forMs / 1000)} s`);
  }

  #count(records: readonly SpooledRecord[]): void {
    const counts = { alert: 0, tombstone: 0, deadLetter: 0, alertsLost: 0 };
    for (const { kind } of records) counts[kind] += 1;
    for (const kind of RECORD_KINDS) {
      if (counts[kind] === 0) continue;
      this.produced[kind] += counts[kind];
      this.#options.observer.produced(kind, counts[kind]);
    }
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof Error && 'retryable' in error && error.retryable === true;
}

/** Whether it was done before `stop` aborted; it is not waited for after that. */
async function beforeAbort(action: Promise<void>, stop: AbortSignal): Promise<boolean> {
  const done = action.then(() => true);
  done.catch(() => undefined);
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<boolean>((resolve) => {
    onAbort = () => resolve(false);
    if (stop.aborted) onAbort();
    else stop.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([done, aborted]);
  } finally {
    stop.removeEventListener('abort', onAbort);
  }
}
