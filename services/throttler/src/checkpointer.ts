// Keeps one partition's checkpoint in Redis behind its commits: never before one, at most one flush at a
// time, only what changed; after anything unexpected the whole state, and DEGRADED until that succeeded.

import {
  CheckpointFormatError,
  FOLD_VERSION,
  formatMicros,
  parseMicros,
  PartitionFold,
} from '@alert-throttle/throttle';
import type { Logger } from '@alert-throttle/observability';

import type { CheckpointChange, CheckpointStore, CheckpointToken, StoredCheckpoint } from './ports.ts';

/** Read again so often where another owner writes meanwhile; it is fenced, and does so at most once or twice. */
const LOAD_ATTEMPTS = 3;
/** Windows that one script changes at most: it takes Redis, and making it takes us, about 0.1 s. */
const MAX_UPDATE_WINDOWS = 100_000;
/** Windows that a full replacement writes at a time; the fold goes on in between. */
const REPLACE_SLICE = 4000;

/** A state as a checkpoint has it. */
export interface LoadedCheckpoint {
  readonly offset: number;
  readonly fold: PartitionFold;
  readonly token: CheckpointToken;
}

export interface CheckpointerOptions {
  readonly store: CheckpointStore;
  readonly partition: number;
  readonly logger: Logger;
  /** Told whenever a flush failed or succeeded again. */
  readonly onDegraded: (degraded: boolean) => void;
  readonly onFlushed: (windows: number) => void;
}

/** What the state stands for besides its windows. */
export interface CheckpointHead {
  readonly offset: number;
  readonly digest: string;
  /** JSON of the limits in force. */
  readonly limits: string;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #expect: CheckpointToken | undefined;
  /** The next flush replaces everything: nothing is known of what is stored. */
  #full = true;
  #inFlight: Promise<void> | undefined;
  #degraded = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  get degraded(): boolean {
    return this.#degraded;
  }

  /** Undefined where there is none, where it is of another version or damaged, or where Redis is away. */
  async load(): Promise<LoadedCheckpoint | undefined> {
    try {
      for (let attempt = 1; attempt <= LOAD_ATTEMPTS; attempt++) {
        const stored = await this.#options.store.load(this.#options.partition);
        this.#setDegraded(false);
        if (stored === undefined) return undefined;
        const loaded = await this.#restore(stored);
        if (loaded !== 'changed') return loaded;
      }
      this.#options.logger.warn('the checkpoint changed whenever it was read; discarded');
    } catch (error) {
      this.#options.logger.error(
        { err: error },
        'DEGRADED: the checkpoint could not be loaded; folding from the log instead',
      );
      this.#setDegraded(true);
    }
    return undefined;
  }

  async #restore(stored: StoredCheckpoint): Promise<LoadedCheckpoint | undefined | 'changed'> {
    const { logger } = this.#options;
    const version = stored.head.get('@version');
    if (version !== String(FOLD_VERSION)) {
      logger.warn({ version, expected: FOLD_VERSION }, 'the checkpoint is of another version; discarded');
      return undefined;
    }
    const token = {
      offset: stored.head.get('@offset') ?? '',
      time: stored.head.get('@time') ?? '',
      digest: stored.head.get('@digest') ?? '',
    };
    const fold = await restore(stored, token);
    if (fold !== undefined) return { offset: Number(token.offset), fold, token };
    if (!(await stored.unchanged())) return 'changed';
    logger.warn({ offset: token.offset }, 'the checkpoint is damaged; discarded');
    return undefined;
  }

  /** From now on the stored state is believed to be `token`'s, or unknown. */
  adopt(token: CheckpointToken | undefined): void {
    this.#expect = token;
    this.#full = token === undefined;
  }

  /** True where a failed or refused flush left something to be done even if nothing changes any more. */
  get mustReplace(): boolean {
    return this.#full;
  }

  get busy(): boolean {
    return this.#inFlight !== undefined;
  }

  /**
   * Takes the state as it is now, which must be the committed one, and writes it in the background.
   * Not to be called while `busy`. Resolves when written or given up; never rejects.
   */
  flush(fold: PartitionFold, head: CheckpointHead): Promise<void> {
    if (!this.#options.store.available) {
      this.#failed(new Error('Redis is away'));
      return Promise.resolve();
    }
    this.#inFlight = this.#write(fold, head).finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  /** Waits for the flush under way, if there is one. */
  async settle(): Promise<void> {
    await this.#inFlight;
  }

  async #write(fold: PartitionFold, head: CheckpointHead): Promise<void> {
    const { store, partition, logger, onFlushed } = this.#options;
    const token: CheckpointToken = {
      offset: String(head.offset),
      time: formatMicros(fold.timeMicros),
      digest: head.digest,
    };
    const fields = {
      '@offset': token.offset,
      '@time': token.time,
      '@limits': head.limits,
      '@version': String(FOLD_VERSION),
      '@digest': token.digest,
      '@updated': new Date().toISOString(),
    };
    const expect = this.#full || fold.dirtyCount > MAX_UPDATE_WINDOWS ? undefined : this.#expect;
    let written = 0;
    try {
      // Either is taken, or its taking begun, before the first await: the fold goes on while Redis writes.
      if (expect === undefined) {
        const slices = fold.snapshotSlices(REPLACE_SLICE);
        await store.replace(
          partition,
          counted(slices, (fieldCount) => (written += fieldCount)),
          fields,
        );
      } else {
        const change = fold.takeDirty();
        written = change.set.length;
        if (!(await store.update(partition, expect, change, fields))) {
          this.#full = true;
          logger.warn(
            'Redis holds another state than the one last written; replacing it after the next commit',
          );
          return;
        }
      }
      this.#expect = token;
      this.#full = false;
      this.#setDegraded(false);
      onFlushed(written);
    } catch (error) {
      if (expect === undefined) fold.giveUpSnapshot();
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#full = true;
    if (!this.#degraded) {
      this.#options.logger.error(
        { err: error },
        'DEGRADED: the checkpoint could not be written to Redis; alerts keep flowing',
      );
    }
    this.#setDegraded(true);
  }

  #setDegraded(degraded: boolean): void {
    if (this.#degraded && !degraded) this.#options.logger.info('Redis answers again: no longer DEGRADED');
    this.#degraded = degraded;
    this.#options.onDegraded(degraded);
  }
}

function* counted(
  slices: Iterable<CheckpointChange>,
  count: (fields: number) => void,
): Generator<CheckpointChange> {
  for (const slice of slices) {
    count(slice.set.length);
    yield slice;
  }
}

/** Undefined where the fields are not what was written under that token. */
async function restore(stored: StoredCheckpoint, token: CheckpointToken): Promise<PartitionFold | undefined> {
  const timeMicros = parseMicros(token.time);
  if (timeMicros === undefined || !/^\d{1,15}$/.test(token.offset)) return undefined;
  const fold = new PartitionFold(undefined, timeMicros);
  for await (const fields of stored.slices()) {
    try {
      fold.restoreMore(fields);
    } catch (error) {
      if (error instanceof CheckpointFormatError) return undefined;
      throw error;
    }
  }
  return fold.digest() === token.digest ? fold : undefined;
}
