// Source to spool: reads what the source has, makes records of it, and stores them in groups, each with how far the source was read.
//
//   source --> stage --(full, or 50 ms old)--> one transaction: records, next number, cursor
//                \--(no room)--> wait, or lose the stage and say so in the stream as soon as there is room
import { extendLoss, type Loss, type LossReason } from './core/loss.ts';
import type { Line, StreamPosition } from './core/line-splitter.ts';
import type { MapContext, Mapped } from './core/map-alert.ts';
import { readLine } from './core/read-line.ts';
import type { AlertEncoder } from './core/record.ts';
import { Stage } from './core/stage.ts';
import { ProducerError } from './errors.ts';
import { IntakeReport, type IntakeTotals } from './intake-report.ts';
import type { AlertSource, Batch, Clock, Logger, SourceRecord, Spool } from './ports.ts';
import type { Observer } from './totals.ts';
import type { Wakeup } from './wakeup.ts';

/** What happens to alerts for which there is no room. */
export const SPOOL_FULL_POLICIES = ['auto', 'wait', 'drop'] as const;
export type SpoolFullPolicy = (typeof SPOOL_FULL_POLICIES)[number];

export interface IntakeSettings {
  readonly spoolFull: SpoolFullPolicy;
  /** For `auto`: a stream is made to wait as long as the broker acknowledged something within so long. */
  readonly spoolFullWaitMs: number;
  readonly spoolMaxBytes: () => number;
  /** A stage is stored when it is so old ... */
  readonly commitMs: number;
  /** ... or has so many records ... */
  readonly commitRecords: number;
  /** ... or so many bytes. */
  readonly commitBytes: () => number;
}

export interface IntakeOptions {
  readonly source: AlertSource<Batch>;
  readonly spool: Spool;
  readonly encoder: AlertEncoder;
  readonly mapContext: MapContext;
  readonly settings: IntakeSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: Observer;
  /** Told when there is something to send. */
  readonly stored: Wakeup;
  /** Tells when the broker has acknowledged something. */
  readonly acknowledged: Wakeup;
  readonly lastAcknowledgedAtMs: () => number;
}

/** How often a full spool is looked at again when nothing is acknowledged. */
const ROOM_POLL_MS = 200;

/** Once alerts were lost, so much of the spool must be free before it goes on: else each acknowledgement made a new gap. */
const FREE_AFTER_LOSS = 1 / 8;

export class Intake {
  readonly #options: IntakeOptions;
  readonly #stage: Stage;
  readonly #report: IntakeReport;
  #position: StreamPosition;
  #nextSequence: number;
  #loss: Loss | undefined;
  #stageBeganAtMs = 0;

  constructor(options: IntakeOptions) {
    const { source, spool, encoder, mapContext, logger, observer, clock } = options;
    this.#options = options;
    this.#report = new IntakeReport({ sourceName: source.name, logger, observer, clock });
    this.#position = source.start;
    this.#nextSequence = spool.nextSequence;
    this.#loss = spool.loss;
    const { nodeId } = mapContext;
    this.#stage = new Stage(encoder, { nodeId, bootId: spool.bootId, sourceName: source.name });
    this.#begin();
  }

  get position(): StreamPosition {
    return this.#position;
  }

  get totals(): Readonly<IntakeTotals> {
    return this.#report.totals;
  }

  /** There is no room now, or was none a moment ago. */
  get isFull(): boolean {
    return this.#report.isWaiting || this.#loss !== undefined;
  }

  /** Resolves to true when the source was read to its end, and to false when `stop` aborted before. */
  async run(stop: AbortSignal): Promise<boolean> {
    let ended: boolean;
    try {
      ended = await this.#readAll(stop);
    } finally {
      await this.#commit(stop);
    }
    while (this.#loss !== undefined && !stop.aborted) {
      await this.#options.acknowledged.wait(ROOM_POLL_MS, stop);
      await this.#commit(stop);
    }
    this.#report.end();
    return ended;
  }

  async #readAll(stop: AbortSignal): Promise<boolean> {
    const batches = this.#options.source.batches()[Symbol.asyncIterator]();
    // Not asked for before the last one was taken: what was read of a stream must not be left behind by a stop.
    let next: ReturnType<typeof batches.next> | undefined;
    while (!stop.aborted) {
      next ??= batches.next();
      const batch = await this.#nextOrDue(next, stop);
      if (batch === 'due') {
        await this.#commit(stop);
        continue;
      }
      if (batch === 'stopped') return false;
      if (batch.done === true) return true;
      next = undefined;
      if (!(await this.#take(batch.value, stop))) return false;
    }
    return false;
  }

  /** The next batch, or that the stage has waited long enough. */
  async #nextOrDue(
    next: Promise<IteratorResult<Batch>>,
    stop: AbortSignal,
  ): Promise<IteratorResult<Batch> | 'due' | 'stopped'> {
    const { clock, settings } = this.#options;
    const timer = new AbortController();
    const dueInMs =
      this.#stage.records.length === 0
        ? 2 ** 31 - 1
        : Math.max(0, this.#stageBeganAtMs + settings.commitMs - clock.nowMs());
    const due = clock.sleep(dueInMs, AbortSignal.any([stop, timer.signal])).then(() => 'due' as const);
    const first = await Promise.race([next, due]);
    timer.abort('over');
    return first === 'due' && stop.aborted ? 'stopped' : first;
  }

  /** False when stopped before all of it was stored or staged. */
  async #take(batch: Batch, stop: AbortSignal): Promise<boolean> {
    const { settings } = this.#options;
    for (const entry of 'lines' in batch ? batch.lines : batch.records) {
      if ('mapped' in entry) this.#addRecord(entry);
      else this.#addLine(entry);
      const { records, bytes } = this.#stage;
      if (records.length < settings.commitRecords && bytes < settings.commitBytes()) continue;
      if (!(await this.#commit(stop))) return false;
    }
    if ('lines' in batch) this.#position = batch.end;
    else if (batch.isLast === true) return this.#commit(stop);
    return true;
  }

  #addLine(line: Line): void {
    this.#add(line, readLine(line, this.#options.mapContext), {
      offset: line.endOffset,
      line: line.number,
    });
  }

  #addRecord({ mapped, end }: SourceRecord): void {
    this.#add(undefined, mapped, end);
  }

  #add(line: Line | undefined, mapped: Mapped, end: StreamPosition): void {
    if (this.#stage.records.length === 0) this.#stageBeganAtMs = this.#options.clock.nowMs();
    const deadLetter = this.#stage.add(line, mapped);
    this.#position = end;
    this.#report.entry(line, mapped, deadLetter);
  }

  /** Stores the stage, or loses it if it must. False when `stop` aborted while it waited for room. */
  async #commit(stop: AbortSignal): Promise<boolean> {
    const { source, clock, acknowledged } = this.#options;
    this.#report.flush();
    if (this.#stage.records.length === 0) return true;
    for (;;) {
      const noRoom = this.#store();
      if (noRoom === undefined) return true;
      const isOnlyAnnouncement = this.#stage.numbered + this.#stage.deadLetters === 0;
      if (isOnlyAnnouncement) {
        this.#stageBeganAtMs = clock.nowMs();
        return true;
      }
      if (this.#mustDrop() || (stop.aborted && !source.replayable)) {
        this.#lose(noRoom);
        return true;
      }
      // A file is read again from its cursor, so what is staged of it may be forgotten.
      if (stop.aborted) return false;
      this.#report.waiting(noRoom);
      await acknowledged.wait(ROOM_POLL_MS, stop);
    }
  }

  /** Why there was no room, or undefined: then it is stored. */
  #store(): LossReason | undefined {
    const { spool, source, settings, stored } = this.#options;
    const margin = this.#loss === undefined ? 0 : Math.floor(settings.spoolMaxBytes() * FREE_AFTER_LOSS);
    if (!spool.fits(this.#stage.bytes + margin)) return 'spool full';
    const { records, nextSequence } = this.#stage;
    try {
      spool.append({ records, nextSequence, loss: undefined, cursor: source.cursorAt(this.#position) });
    } catch (error) {
      if (error instanceof ProducerError && error.code === 'SPOOL_DISK_FULL') return 'disk full';
      throw error;
    }
    this.#report.stored(this.#loss);
    this.#nextSequence = nextSequence;
    this.#loss = undefined;
    this.#begin();
    source.stored?.(this.#position);
    stored.notify();
    return undefined;
  }

  #mustDrop(): boolean {
    const { source, settings, clock, lastAcknowledgedAtMs } = this.#options;
    switch (settings.spoolFull) {
      case 'drop':
        return true;
      case 'wait':
        return false;
      case 'auto':
        return !source.replayable && clock.nowMs() - lastAcknowledgedAtMs() >= settings.spoolFullWaitMs;
    }
  }

  /** The stage's alerts use up their numbers. What is known of the loss is stored, as far as the disk allows. */
  #lose(reason: LossReason): void {
    const { spool, source } = this.#options;
    const { firstSequence, numbered, deadLetters, alreadyLost } = this.#stage;
    this.#loss = extendLoss(this.#loss, firstSequence, numbered, reason, alreadyLost);
    this.#nextSequence = firstSequence + numbered;
    this.#report.lost(reason, numbered, deadLetters);
    try {
      const cursor = source.cursorAt(this.#position);
      spool.append({ records: [], nextSequence: this.#nextSequence, loss: this.#loss, cursor });
    } catch (error) {
      if (!(error instanceof ProducerError && error.code === 'SPOOL_DISK_FULL')) throw error;
    }
    source.stored?.(this.#position);
    this.#begin();
  }

  #begin(): void {
    const { clock } = this.#options;
    this.#stage.begin(this.#nextSequence, this.#loss, clock.nowMicros());
    this.#stageBeganAtMs = clock.nowMs();
  }
}
