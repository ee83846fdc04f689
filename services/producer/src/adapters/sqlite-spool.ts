// The spool as one SQLite file: a table of records, the few facts that must not be forgotten, and where sources are.
//
// Acknowledged records are deleted in the next transaction, whatever it is for. If that never comes, they are sent
// again, and the throttler skips them by their numbers.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Loss } from '../core/loss.ts';
import { IN_PAGE_BYTES, RECORD_KINDS, recordBytes, ROW_BYTES, SPOOL_PAGE_BYTES } from '../core/record.ts';
import { ProducerError, reasonOf } from '../errors.ts';
import type { ReadLimits, Spool, SpoolAppend, SpooledRecord, SpoolUsage } from '../ports.ts';
import { DiskReserve } from './disk-reserve.ts';
import { inTransaction, isDiskFull, openSpoolFile } from './sqlite-file.ts';

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
const COMPACT_PAGES = (16 * 1024 * 1024) / SPOOL_PAGE_BYTES;

/** Sources whose place is remembered. */
const MAX_CURSORS = 100;

type Row = [
  id: number,
  kind: number,
  schema: number,
  key: string,
  value: Uint8Array | null,
  headers: string | null,
  storedAtMs: number,
];

interface Statements {
  readonly insert: StatementSync;
  readonly remove: StatementSync;
  readonly read: StatementSync;
  readonly oldest: StatementSync;
  readonly putFact: StatementSync;
  readonly getFact: StatementSync;
  readonly putCursor: StatementSync;
  readonly getCursor: StatementSync;
  readonly removeCursor: StatementSync;
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
  /** Records up to this one are acknowledged; up to `#deletedId` they are deleted, too. */
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
    this.#sql.putFact.run('boot_id', this.bootId);
    this.#nextSequence = Number(this.#fact('next_sequence') ?? 1);
    const loss = this.#fact('loss') ?? '';
    this.#loss = loss === '' ? undefined : (JSON.parse(loss) as Loss);
    const totals = db.prepare(TOTALS).get();
    this.#records = Number(totals?.['records'] ?? 0);
    this.#bytes = Number(totals?.['bytes'] ?? 0);
    this.#nextId = Number(totals?.['last_id'] ?? 0) + 1;
    db.prepare(PRUNE_CURSORS).run(MAX_CURSORS);
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
    this.#write(records.length === 0, () => {
      let id = this.#nextId;
      for (const { kind, key, value, headers } of records) {
        const number = RECORD_KINDS.indexOf(kind);
        this.#sql.insert.run(id++, number, this.#schemaVersion, key, value, headers, storedAtMs);
      }
      if (nextSequence !== this.#nextSequence) this.#sql.putFact.run('next_sequence', String(nextSequence));
      if (loss !== this.#loss) this.#sql.putFact.run('loss', loss === undefined ? '' : JSON.stringify(loss));
      if (cursor) this.#sql.putCursor.run(cursor.source, cursor.value, storedAtMs);
    });
    this.#nextId += records.length;
    this.#nextSequence = nextSequence;
    this.#loss = loss;
    this.#records += records.length;
    for (const record of records) this.#bytes += recordBytes(record);
  }

  read({ maxRecords, maxBytes }: ReadLimits): SpooledRecord[] {
    const records: SpooledRecord[] = [];
    let bytes = 0;
    const rows = this.#sql.read.iterate(this.#acknowledgedId, maxRecords);
    for (const row of rows as unknown as Iterable<Row>) {
      const record = recordOf(row);
      bytes += recordBytes(record);
      if (records.length > 0 && bytes > maxBytes) break;
      records.push(record);
    }
    return records;
  }

  acknowledge(records: readonly SpooledRecord[]): void {
    const last = records.at(-1);
    if (last === undefined) return;
    this.#acknowledgedId = last.id;
    this.#records -= records.length;
    for (const record of records) this.#bytes -= recordBytes(record);
    // SQLite counts characters in another way than JavaScript where there are emoji in a key: the sums may differ.
    if (this.#records === 0 || this.#bytes < 0) this.#bytes = 0;
  }

  flush(): void {
    if (this.#acknowledgedId === this.#deletedId && this.#forgotten.length === 0) return;
    try {
      this.#write(true, () => undefined);
      this.#reserve.hold();
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
    this.#reserve.release();
  }

  /** One transaction, together with what is to be deleted. What frees or needs little room may use the reserve. */
  #write(mayUseReserve: boolean, action: () => void): void {
    const acknowledgedId = this.#acknowledgedId;
    const all = (): void => {
      if (acknowledgedId > this.#deletedId) this.#sql.remove.run(acknowledgedId);
      for (const source of this.#forgotten) this.#sql.removeCursor.run(source);
      action();
    };
    try {
      inTransaction(this.#db, all);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (!mayUseReserve) throw diskFull(error);
      this.#retryWithReserve(all);
    }
    this.#deletedId = acknowledgedId;
    this.#forgotten = [];
  }

  #retryWithReserve(action: () => void): void {
    this.#reserve.release();
    try {
      inTransaction(this.#db, action);
      // The WAL gives its room back, so that there is some for the next time.
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : error;
    }
  }

  #fact(name: string): string | undefined {
    const value = this.#sql.getFact.get(name)?.['value'];
    return typeof value === 'string' ? value : undefined;
  }

  /** The file keeps the size of its largest backlog; an empty one is cheap to rewrite. */
  #compact(): void {
    if (this.#records > 0) return;
    const pages = this.#db.prepare('PRAGMA page_count').get()?.['page_count'];
    if (typeof pages === 'number' && pages > COMPACT_PAGES) this.#db.exec('VACUUM');
  }
}

const TOTALS = `
  SELECT count(*) AS records, max(id) AS last_id, sum(CASE WHEN content <= ${IN_PAGE_BYTES} THEN content + ${ROW_BYTES}
    ELSE ((content + ${SPOOL_PAGE_BYTES - 1}) / ${SPOOL_PAGE_BYTES} + 1) * ${SPOOL_PAGE_BYTES} END) AS bytes
  FROM (SELECT id, length(key) + ifnull(length(value), 0) + ifnull(length(headers), 0) AS content FROM records)
`;

const PRUNE_CURSORS = `
  DELETE FROM cursors WHERE source NOT IN (SELECT source FROM cursors ORDER BY updated_at DESC LIMIT ?)
`;

function prepare(db: DatabaseSync): Statements {
  const columns = 'id, kind, schema, key, value, headers, stored_at';
  const read = db.prepare(`SELECT ${columns} FROM records WHERE id > ? ORDER BY id LIMIT ?`);
  read.setReturnArrays(true);
  return {
    insert: db.prepare(`INSERT INTO records (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?)`),
    remove: db.prepare('DELETE FROM records WHERE id <= ?'),
    read,
    oldest: db.prepare('SELECT stored_at FROM records WHERE id > ? ORDER BY id LIMIT 1'),
    putFact: db.prepare('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)'),
    getFact: db.prepare('SELECT value FROM facts WHERE name = ?'),
    putCursor: db.prepare('INSERT OR REPLACE INTO cursors (source, value, updated_at) VALUES (?, ?, ?)'),
    getCursor: db.prepare('SELECT value FROM cursors WHERE source = ?'),
    removeCursor: db.prepare('DELETE FROM cursors WHERE source = ?'),
  };
}

function recordOf([id, kind, schemaVersion, key, value, headers, storedAtMs]: Row): SpooledRecord {
  const name = RECORD_KINDS[kind];
  if (name === undefined) throw new ProducerError('SPOOL_UNUSABLE', `the spool has a record of kind ${kind}`);
  return { id, kind: name, schemaVersion, key, value, headers, storedAtMs };
}

function diskFull(cause: unknown): ProducerError {
  return new ProducerError('SPOOL_DISK_FULL', 'the disk of the spool (SPOOL_DIR) is full', { cause });
}
