// The run of a producer: source -> records -> spool -> broker, until the source has ended and everything is acknowledged.
import { Delivery } from './delivery.ts';
import { Intake, type IntakeOptions } from './intake.ts';
import type { AlertSink } from './ports.ts';
import type { Totals } from './totals.ts';
import { Wakeup } from './wakeup.ts';

export interface PipelineOptions extends Pick<
  IntakeOptions,
  'source' | 'spool' | 'encoder' | 'mapContext' | 'settings' | 'clock' | 'logger' | 'observer'
> {
  readonly sink: AlertSink;
  /** After stop(), for so long it tries to send what is in the spool. */
  readonly shutdownMs: number;
}

export interface PipelineState {
  readonly connected: boolean;
  /** What stands between the spool and the broker, if anything does. */
  readonly trouble: string | undefined;
  /** The spool has no room: the source waits, or alerts are lost. */
  readonly spoolFull: boolean;
}

const PROGRESS_MS = 10_000;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #intake: Intake;
  readonly #delivery: Delivery;
  readonly #stopReading = new AbortController();
  readonly #stopSending = new AbortController();
  readonly #fromEarlierRun: number;
  readonly #startedAtMs: number;

  constructor(options: PipelineOptions) {
    const { spool, clock } = options;
    this.#options = options;
    this.#startedAtMs = clock.nowMs();
    this.#fromEarlierRun = spool.usage().records;
    const stored = new Wakeup(clock);
    const acknowledged = new Wakeup(clock);
    this.#delivery = new Delivery({ ...options, stored, acknowledged });
    const lastAcknowledgedAtMs = (): number => this.#delivery.lastAcknowledgedAtMs;
    this.#intake = new Intake({ ...options, stored, acknowledged, lastAcknowledgedAtMs });
  }

  get state(): PipelineState {
    const { isConnected: connected, trouble } = this.#delivery;
    return { connected, trouble, spoolFull: this.#intake.isFull };
  }

  /** Ends when everything is acknowledged, or some time after stop(). Closes nothing but the source. */
  async run(): Promise<Totals> {
    const { source, spool } = this.#options;
    const progress = new AbortController();
    const reporting = this.#reportProgress(progress.signal);
    const delivering = this.#delivery.run(this.#stopSending.signal);
    // Awaited below; if reading fails first, its own failure comes second.
    delivering.catch(() => this.#stopReading.abort());
    try {
      let ended = false;
      try {
        ended = await this.#intake.run(this.#stopReading.signal);
      } finally {
        this.#delivery.finish();
      }
      await source.close();
      const drained = await this.#drain(delivering);
      // The file was produced to its end: the next run produces it again, from its start.
      const cursor = source.cursorAt(this.#intake.position);
      if (ended && drained && cursor !== undefined) spool.forgetCursor(cursor.source);
      spool.flush();
      return this.totals();
    } finally {
      this.#stopSending.abort();
      progress.abort();
      await reporting;
    }
  }

  /** Stops reading; what was read is stored, and sent as far as the time for that goes. */
  stop(): void {
    this.#stopReading.abort();
  }

  totals(): Totals {
    const { produced } = this.#delivery;
    return {
      ...this.#intake.totals,
      alertsProduced: produced.alert,
      tombstonesProduced: produced.tombstone,
      deadLettersProduced: produced.deadLetter,
      recordsFromEarlierRun: this.#fromEarlierRun,
      recordsLeftInSpool: this.#options.spool.usage().records,
    };
  }

  async #drain(delivering: Promise<boolean>): Promise<boolean> {
    const { clock, shutdownMs } = this.#options;
    const given = async (): Promise<void> => {
      if (!this.#stopReading.signal.aborted)
        await new Promise((resolve) => this.#stopReading.signal.addEventListener('abort', resolve));
      await clock.sleep(shutdownMs, this.#stopSending.signal);
      this.#stopSending.abort();
    };
    void given();
    return delivering;
  }

  /** Says now and then how far it is, as long as anything changes. */
  async #reportProgress(until: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    let last = '';
    for (;;) {
      await clock.sleep(PROGRESS_MS, until);
      if (until.aborted) return;
      const message = this.#progress();
      const forMs = clock.nowMs() - this.#startedAtMs;
      if (message !== last) logger.info({ forMs, ...this.#intake.position }, message);
      last = message;
    }
  }

  #progress(): string {
    const { source, spool } = this.#options;
    const { offset, line } = this.#intake.position;
    const percent =
      source.totalBytes === undefined ? '' : ` (${Math.floor((100 * offset) / source.totalBytes)} %)`;
    const where =
      this.#intake.totals.linesRead === 0 ? source.name : `line ${line}${percent} of ${source.name}`;
    const { alert } = this.#delivery.produced;
    const { records } = spool.usage();
    return `${where}, ${alert} alerts produced, ${records} records in the spool`;
  }
}
