// The spool as one SQLite file: segments of records, the few facts that must not be forgotten, and where sources are.
//
// What is acknowledged is deleted segment by segment, in the next transaction, whatever that is for. If it never comes,
// or a segment was acknowledged in part, records are sent again, and the throttler skips them by their numbers.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Loss } from '../core/loss.ts';
import { recordBytes } from '../core/record.ts';
import { readSegment, writeSegment } from '../core/segment.ts';
import { ProducerError, reasonOf } from '../errors.ts';
import type { ReadLimits, Spool, SpoolAppend, SpooledRecord, SpoolUsage } from '../ports.ts';
import { DiskReserve } from './disk-reserve.ts';
import { inTransaction, isDiskFull, openSpoolFile, PAGE_BYTES } from './sqlite-file.ts';

export interface SqliteSpoolOptions {
  readonly dir: string;
  readonly maxBytes: number;
  /** Of the alerts that are appended. */
  readonly schemaVersion: number;
  readonly nowMs: () => number;
  /** The file's hard bound in pages, beside the bound in bytes. */
  readonly maxPages?: number;
}

const FILE_NAME = 'spool.db';
const RESERVE_NAME = 'reserve';

/** An empty file that is larger is made small again. */
const COMPACT_PAGES = (16 * 1024 * 1024) / PAGE_BYTES;

/** Sources whose place is remembered. */
const MAX_CURSORS = 100;

/** When the disk is full, so few segments are deleted at once that the reserve has room for the journal of it. */
const SEGMENTS_PER_RESCUE = 8;

/** A segment that was read, and how many of its records are acknowledged. */
interface LoadedSegment {
  readonly id: number;
  readonly records: readonly SpooledRecord[];
  readonly bytes: number;
  acknowledged: number;
}

/** Throws SPOOL_LOCKED or SPOOL_UNUSABLE. */
export function openSqliteSpool(options: SqliteSpoolOptions): SqliteSpool {
  const path = join(options.dir, FILE_NAME);
  const db = openSpoolFile(path);
  try {
    return new SqliteSpool(db, options);
  } catch (error) {
    db.close();
    throw new ProducerError('SPOOL_UNUSABLE', `the spool ${path} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

export class SqliteSpool implements Spool {
  readonly bootId: string;
  readonly #db: DatabaseSync;
  readonly #sql: Statements;
  readonly #reserve: DiskReserve;
  readonly #schemaVersion: number;
  readonly #nowMs: () => number;
  #maxBytes: number;
  #nextSequence: number;
  #loss: Loss | undefined;
  #nextId: number;
  #records: number;
  #bytes: number;
  /** The oldest segments, as far as they were read; the first one may be acknowledged in part. */
  #loaded: LoadedSegment[] = [];
  /** Segments up to this one are acknowledged; up to `#deletedId` they are deleted, too. */
  #acknowledgedId = 0;
  #deletedId = 0;
  #forgotten: string[] = [];

  constructor(db: DatabaseSync, options: SqliteSpoolOptions) {
    this.#db = db;
    this.#schemaVersion = options.schemaVersion;
    this.#nowMs = options.nowMs;
    this.#maxBytes = options.maxBytes;
    if (options.maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${options.maxPages}`);
    this.#sql = prepare(db);
    this.bootId = this.#fact('boot_id') ?? randomUUID();
    if (this.#fact('boot_id') === undefined) this.#sql.putFact.run('boot_id', this.bootId);
    this.#nextSequence = Number(this.#fact('next_sequence') ?? 1);
    const loss = this.#fact('loss') ?? '';
    this.#loss = loss === '' ? undefined : (JSON.parse(loss) as Loss);
    const totals = this.#sql.totals.get();
    this.#records = Number(totals?.['records'] ?? 0);
    this.#bytes = Number(totals?.['bytes'] ?? 0);
    this.#nextId = Number(totals?.['last_id'] ?? 0) + 1;
    this.#sql.pruneCursors.run(MAX_CURSORS);
    this.#compact();
    this.#reserve = new DiskReserve(join(options.dir, RESERVE_NAME));
    this.#reserve.hold();
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  get loss(): Loss | undefined {
    return this.#loss;
  }

  usage(): SpoolUsage {
    const oldest = this.#records === 0 ? undefined : this.#sql.oldest.get(this.#acknowledgedId);
    return {
      records: this.#records,
      bytes: this.#bytes,
      oldestAtMs: oldest === undefined ? undefined : Number(oldest['stored_at']),
    };
  }

  fits(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes;
  }

  append({ records, nextSequence, loss, cursor }: SpoolAppend): void {
    const storedAtMs = this.#nowMs();
    const body = writeSegment(records);
    const bytes = bytesOnDisk(body.length);
    const store = (): void => {
      if (records.length > 0)
        this.#sql.insert.run(this.#nextId, records.length, bytes, this.#schemaVersion, storedAtMs, body);
      if (nextSequence !== this.#nextSequence) this.#sql.putFact.run('next_sequence', String(nextSequence));
      if (loss !== this.#loss) this.#sql.putFact.run('loss', loss === undefined ? '' : JSON.stringify(loss));
      if (cursor) this.#sql.putCursor.run(cursor.source, cursor.value, storedAtMs);
    };
    this.#write(store, records.length === 0);
    this.#nextSequence = nextSequence;
    this.#loss = loss;
    if (records.length === 0) return;
    this.#nextId += 1;
    this.#records += records.length;
    this.#bytes += bytes;
    this.#reserve.hold();
  }

  read({ maxRecords, maxBytes }: ReadLimits): SpooledRecord[] {
    const records: SpooledRecord[] = [];
    let bytes = 0;
    for (let index = 0; ; index++) {
      const segment = this.#loaded[index] ?? this.#load();
      if (segment === undefined) return records;
      for (const record of segment.records.slice(segment.acknowledged)) {
        bytes += recordBytes(record);
        if (records.length > 0 && (records.length === maxRecords || bytes > maxBytes)) return records;
        records.push(record);
      }
    }
  }

  acknowledge(count: number): void {
    this.#records -= count;
    for (let left = count; left > 0;) {
      const [segment] = this.#loaded;
      if (segment === undefined) throw new RangeError(`${left} records are acknowledged that were not read`);
      const part = Math.min(left, segment.records.length - segment.acknowledged);
      segment.acknowledged += part;
      left -= part;
      if (segment.acknowledged < segment.records.length) return;
      this.#loaded.shift();
      this.#acknowledgedId = segment.id;
      this.#bytes -= segment.bytes;
    }
  }

  flush(): void {
    if (this.#acknowledgedId <= this.#deletedId && this.#forgotten.length === 0) return;
    try {
      this.#write(() => undefined, true);
    } catch (error) {
      if (!(error instanceof ProducerError && error.code === 'SPOOL_DISK_FULL')) throw error;
    }
  }

  cursor(source: string): string | undefined {
    const value = this.#sql.getCursor.get(source)?.['value'];
    return typeof value === 'string' ? value : undefined;
  }

  forgetCursor(source: string): void {
    this.#forgotten.push(source);
  }

  setMaxBytes(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  close(): void {
    this.flush();
    this.#compact();
    this.#db.close();
  }

  #load(): LoadedSegment | undefined {
    const after = this.#loaded.at(-1)?.id ?? this.#acknowledgedId;
    const row = this.#sql.read.get(after);
    if (row === undefined) return undefined;
    const schemaVersion = Number(row['schema']);
    const records = readSegment(row['body'] as Uint8Array).map((record) => ({ ...record, schemaVersion }));
    const segment = { id: Number(row['id']), records, bytes: Number(row['bytes']), acknowledged: 0 };
    this.#loaded.push(segment);
    return segment;
  }

  /** One transaction, together with what is to be deleted. What needs little room may use the reserve. */
  #write(action: () => void, mayUseReserve: boolean): void {
    const facts = (): void => {
      for (const source of this.#forgotten) this.#sql.removeCursor.run(source);
      action();
    };
    try {
      inTransaction(this.#db, () => {
        if (this.#acknowledgedId > this.#deletedId) this.#sql.remove.run(this.#acknowledgedId);
        facts();
      });
      this.#deletedId = this.#acknowledgedId;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (!mayUseReserve) throw diskFull(error);
      this.#writeWithReserve(facts);
    }
    this.#forgotten = [];
  }

  #writeWithReserve(action: () => void): void {
    this.#reserve.release();
    try {
      while (this.#deletedId < this.#acknowledgedId) {
        const upTo = Math.min(this.#acknowledgedId, this.#firstId() + SEGMENTS_PER_RESCUE - 1);
        inTransaction(this.#db, () => this.#sql.remove.run(upTo));
        this.#deletedId = upTo;
      }
      inTransaction(this.#db, action);
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : error;
    }
  }

  #firstId(): number {
    return Number(this.#sql.read.get(0)?.['id'] ?? this.#acknowledgedId);
  }

  #fact(name: string): string | undefined {
    const value = this.#sql.getFact.get(name)?.['value'];
    return typeof value === 'string' ? value : undefined;
  }

  /** The file keeps the size of its largest backlog; an empty one is cheap to rewrite. */
  #compact(): void {
    if (this.#records > 0) return;
    const pages = this.#db.prepare('PRAGMA page_count').get()?.['page_count'];
    if (typeof pages !== 'number' || pages <= COMPACT_PAGES) return;
    try {
      this.#db.exec('VACUUM');
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }
}

/** A small segment shares a page with others; of a larger one most takes pages of its own. */
function bytesOnDisk(bodyBytes: number): number {
  const row = bodyBytes + 64;
  return row <= PAGE_BYTES / 4 ? row : (Math.ceil(row / PAGE_BYTES) + 1) * PAGE_BYTES;
}

type Statements = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

const STATEMENTS = {
  insert: 'INSERT INTO segments (id, records, bytes, schema, stored_at, body) VALUES (?, ?, ?, ?, ?, ?)',
  remove: 'DELETE FROM segments WHERE id <= ?',
  read: 'SELECT id, bytes, schema, body FROM segments WHERE id > ? ORDER BY id LIMIT 1',
  oldest: 'SELECT stored_at FROM segments WHERE id > ? ORDER BY id LIMIT 1',
  totals: 'SELECT sum(records) AS records, sum(bytes) AS bytes, max(id) AS last_id FROM segments',
  putFact: 'INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)',
  getFact: 'SELECT value FROM facts WHERE name = ?',
  putCursor: 'INSERT OR REPLACE INTO cursors (source, value, updated_at) VALUES (?, ?, ?)',
  getCursor: 'SELECT value FROM cursors WHERE source = ?',
  removeCursor: 'DELETE FROM cursors WHERE source = ?',
  pruneCursors:
    'DELETE FROM cursors WHERE source NOT IN (SELECT source FROM cursors ORDER BY updated_at DESC LIMIT ?)',
};

function prepare(db: DatabaseSync): Statements {
  const statements = Object.entries(STATEMENTS).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(statements) as Statements;
}

function diskFull(cause: unknown): ProducerError {
  return new ProducerError('SPOOL_DISK_FULL', 'the disk of the spool (SPOOL_DIR) is full', { cause });
}
