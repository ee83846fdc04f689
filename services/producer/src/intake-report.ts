// What the intake tells the log, the metrics and the totals. A flood of bad lines is no flood of log lines.
import type { DeadLetterReason } from './core/dead-letters.ts';
import type { Line } from './core/line-splitter.ts';
import { lostAlerts, type Loss, type LossReason } from './core/loss.ts';
import type { Mapped } from './core/map-alert.ts';
import { LogLimiter } from './log-limiter.ts';
import type { Clock, Logger } from './ports.ts';
import type { Observer } from './totals.ts';

export interface IntakeTotals {
  linesRead: number;
  alertsRead: number;
  alertsLost: number;
  deadLettersLost: number;
  unknownFieldsKept: number;
  unknownFieldsDropped: number;
  guessedTimes: number;
}

export interface IntakeReportOptions {
  readonly sourceName: string;
  readonly logger: Logger;
  readonly observer: Observer;
  readonly clock: Clock;
}

const DEAD_LETTER_LINES = { lines: 10, periodMs: 10_000 };
const LOSS_LINES = { lines: 1, periodMs: 10_000 };
const WAIT_LINES = { lines: 1, periodMs: 10_000 };

/** A shorter wait is how a fast source and a slower broker keep pace. */
const LONG_WAIT_MS = 1_000;

const NOTHING = { alerts: 0, unknownKept: 0, unknownDropped: 0, guessedTimes: 0 };

export class IntakeReport {
  readonly totals: IntakeTotals = {
    linesRead: 0,
    alertsRead: 0,
    alertsLost: 0,
    deadLettersLost: 0,
    unknownFieldsKept: 0,
    unknownFieldsDropped: 0,
    guessedTimes: 0,
  };
  readonly #options: IntakeReportOptions;
  readonly #deadLetterLines = new LogLimiter(DEAD_LETTER_LINES);
  readonly #lossLines = new LogLimiter(LOSS_LINES);
  readonly #waitLines = new LogLimiter(WAIT_LINES);
  #observed = { ...NOTHING };
  #waitingSinceMs: number | undefined;

  constructor(options: IntakeReportOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#waitingSinceMs !== undefined;
  }

  /** Without a line it is a record that the source made. */
  entry(line: Line | undefined, mapped: Mapped, deadLetter: DeadLetterReason | undefined): void {
    if (line !== undefined) this.totals.linesRead += 1;
    if (deadLetter !== undefined) this.#deadLetter(line, deadLetter, mapped);
    else if (mapped.kind === 'alert') {
      this.#observed.alerts += 1;
      this.#observed.unknownKept += mapped.unknownFields;
      this.#observed.unknownDropped += mapped.droppedFields;
      if (mapped.guessedTime) this.#guessedTime(line?.number ?? 0);
    }
  }

  /** Adds up what has been seen since the last time: per alert that would cost too much. */
  flush(): void {
    const { alerts, unknownKept, unknownDropped, guessedTimes } = this.#observed;
    this.totals.alertsRead += alerts;
    this.totals.unknownFieldsKept += unknownKept;
    this.totals.unknownFieldsDropped += unknownDropped;
    this.totals.guessedTimes += guessedTimes;
    this.#options.observer.read(this.#observed);
    this.#observed = { ...NOTHING };
  }

  waiting(reason: LossReason): void {
    const { clock, logger, sourceName } = this.#options;
    const nowMs = clock.nowMs();
    this.#waitingSinceMs ??= nowMs;
    if (!this.#waitLines.allow(nowMs)) return;
    logger.warn(
      { source: sourceName, reason },
      `${reason}: reading ${sourceName} waits until there is room again`,
    );
  }

  lost(reason: LossReason, alerts: number, deadLetters: number): void {
    const { observer, logger, clock } = this.#options;
    this.totals.alertsLost += alerts;
    this.totals.deadLettersLost += deadLetters;
    observer.lost(reason, alerts, deadLetters);
    if (!this.#lossLines.allow(clock.nowMs())) return;
    const { alertsLost, deadLettersLost } = this.totals;
    logger.error(
      { reason, alertsLost, deadLettersLost },
      `${reason}: alerts are lost, ${alertsLost} until now`,
    );
  }

  /** A stage was stored; it announced the loss, if there was one. */
  stored(announced: Loss | undefined): void {
    const { logger, clock } = this.#options;
    if (this.#waitingSinceMs !== undefined) {
      const waitedMs = clock.nowMs() - this.#waitingSinceMs;
      this.#waitingSinceMs = undefined;
      if (waitedMs >= LONG_WAIT_MS)
        logger.info({ waitedMs }, `there is room again after ${Math.round(waitedMs / 1000)} s`);
    }
    if (announced === undefined) return;
    const alerts = lostAlerts(announced);
    logger.error(
      { alerts, first: announced.first, last: announced.last, reason: announced.reason },
      `${alerts} alerts were lost (${announced.reason}): announced in the stream`,
    );
  }

  end(): void {
    this.flush();
    this.#sayHowManyMore();
  }

  #deadLetter(line: Line | undefined, reason: DeadLetterReason, mapped: Mapped): void {
    const { observer, logger, clock, sourceName } = this.#options;
    observer.deadLetter(reason);
    if (!this.#deadLetterLines.allow(clock.nowMs())) return;
    this.#sayHowManyMore();
    const detail = mapped.kind === 'refused' ? mapped.detail : 'its record is too large';
    logger.warn(
      { source: sourceName, line: line?.number, reason, detail, size: line?.size },
      `${sourceName}${line === undefined ? '' : `, line ${line.number}`}: dead letter, ${reason}: ${detail}`,
    );
  }

  #sayHowManyMore(): void {
    const more = this.#deadLetterLines.takeSuppressed();
    if (more > 0) this.#options.logger.warn({ deadLetters: more }, `${more} more dead letters`);
  }

  #guessedTime(number: number): void {
    const { logger, sourceName } = this.#options;
    this.#observed.guessedTimes += 1;
    if (this.totals.guessedTimes + this.#observed.guessedTimes > 1) return;
    logger.warn(
      { source: sourceName, line: number },
      `${sourceName}, line ${number}: neither UpdatedTime nor Timestamp says when: the time of reading is taken (said once)`,
    );
  }
}
