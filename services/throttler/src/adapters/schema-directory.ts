// The schemas of the raw topic's records. A schema is fetched once, off the fold; an id that the registry
// answers with its own 404 for long enough is poison, every other answer is waited out.

import { AlertFormatError, type Alert, type AlertCodec, type AlertReader } from '@alert-throttle/alert';
import type { Logger } from '@alert-throttle/observability';

import type { SchemaSource } from '../owner-dependencies.ts';
import type { MonotonicClock } from '../ports.ts';

/** How long the registry must go on saying 404 before a record is poison. */
const UNKNOWN_AFTER_MS = 30_000;
/** An id found unknown is asked again after this, in case that the schema was registered since. */
const ASK_AGAIN_AFTER_MS = 60_000;
const RETRY_MS = 1000;

export class SchemaDirectory implements SchemaSource {
  readonly #codec: AlertCodec;
  readonly #clock: MonotonicClock;
  readonly #logger: Logger;
  /** Of the process: nobody waits any more. */
  readonly #signal: AbortSignal;
  /** Since when an id is taken for unknown. */
  readonly #unknownSinceMs = new Map<number, number>();
  readonly #fetching = new Map<number, Promise<void>>();

  constructor(codec: AlertCodec, clock: MonotonicClock, logger: Logger, signal: AbortSignal) {
    this.#codec = codec;
    this.#clock = clock;
    this.#logger = logger;
    this.#signal = signal;
  }

  reader(bytes: Buffer, from?: number, to?: number): AlertReader | undefined {
    return this.#codec.reader(bytes, from, to);
  }

  isUnknown(schemaId: number): boolean {
    const sinceMs = this.#unknownSinceMs.get(schemaId);
    if (sinceMs === undefined) return false;
    if (this.#clock.nowMs() - sinceMs >= ASK_AGAIN_AFTER_MS) void this.#askAgain(schemaId);
    return true;
  }

  encode(alert: Alert): Buffer {
    return this.#codec.encode(alert);
  }

  resolve(schemaId: number): Promise<void> {
    let fetching = this.#fetching.get(schemaId);
    if (fetching === undefined) {
      fetching = this.#fetch(schemaId).finally(() => this.#fetching.delete(schemaId));
      this.#fetching.set(schemaId, fetching);
    }
    return fetching;
  }

  async #fetch(schemaId: number): Promise<void> {
    let firstNotFoundMs: number | undefined;
    for (;;) {
      try {
        if ((await this.#codec.fetch(schemaId)) === 'known') return;
        const nowMs = this.#clock.nowMs();
        firstNotFoundMs ??= nowMs;
        if (nowMs - firstNotFoundMs >= UNKNOWN_AFTER_MS) {
          this.#unknownSinceMs.set(schemaId, nowMs);
          return;
        }
        this.#logger.warn({ schemaId }, 'the registry does not know this schema; asking again for 30 s');
      } catch (error) {
        // The codec remembers that: its reader throws it from now on.
        if (error instanceof AlertFormatError) return;
        // Whether it would still say 404, nobody knows: a registry that starts may answer both.
        firstNotFoundMs = undefined;
        this.#logger.warn({ schemaId, err: error }, 'the schema registry does not answer; waiting for it');
      }
      await this.#clock.sleep(RETRY_MS, this.#signal);
    }
  }

  /** Beside the fold, once: records of an id that was found unknown do not wait a second time. */
  async #askAgain(schemaId: number): Promise<void> {
    this.#unknownSinceMs.set(schemaId, this.#clock.nowMs());
    try {
      if ((await this.#codec.fetch(schemaId)) === 'known') this.#unknownSinceMs.delete(schemaId);
    } catch (error) {
      this.#logger.debug({ schemaId, err: error }, 'asking again for an unknown schema failed');
    }
  }
}
