// The spool's SQLite file: opened for one process, set up, and its errors sorted by what can be done about them.
//
// Durability: synchronous=FULL, so a transaction is on the disk when COMMIT returns, after a crash of the process and
// after a loss of power alike. NORMAL would not do: after a loss of power the spool could fall back behind what Kafka
// has already, give out the same numbers again, and the throttler would take new alerts for repeats.
//
// A rollback journal, not WAL: on a full disk a WAL cannot be written, and it can be emptied only into a database that
// may have to grow for that, so that nothing could even be deleted any more. A journal takes only the few pages that a
// transaction changes, and PERSIST keeps that room. It costs about the same: a transaction holds up to two thousand
// alerts in one piece, which a WAL would write twice.
//
// One process at a time: locking_mode=EXCLUSIVE keeps SQLite's own lock for as long as the file is open, and the
// kernel drops it when the process dies, however it dies.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ProducerError, reasonOf } from '../errors.ts';

export const PAGE_BYTES = 16 * 1024;

/** "ATSP", so that no other SQLite file is taken for a spool. */
const APPLICATION_ID = 0x41545350;
const LAYOUT_VERSION = 1;

/** How long a spool that a stopping producer still holds is waited for. */
const LOCK_WAIT_MS = 1_000;

const CACHE_KIB = 8 * 1024;
const JOURNAL_BYTES = 1024 * 1024;

/** Primary result codes of SQLite, and the extended ones that mean that a write found no room. */
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const SQLITE_IOERR_WRITE = 778;
const SQLITE_UNREADABLE = [11 /* corrupt */, 26 /* not a database */];

const LAYOUT = `
  CREATE TABLE segments (
    id INTEGER PRIMARY KEY, records INTEGER NOT NULL, bytes INTEGER NOT NULL, schema INTEGER NOT NULL,
    stored_at INTEGER NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE cursors (source TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${LAYOUT_VERSION};
`;

/** Throws SPOOL_LOCKED or SPOOL_UNUSABLE. */
export function openSpoolFile(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    db = new DatabaseSync(path, { timeout: LOCK_WAIT_MS });
    db.exec(
      `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST;`,
    );
    db.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${JOURNAL_BYTES};`);
    db.exec(`PRAGMA trusted_schema = OFF; PRAGMA cache_size = -${CACHE_KIB};`);
    layOut(db, path);
    return db;
  } catch (error) {
    db?.close();
    throw openError(error, path);
  }
}

/** The transaction takes the lock. */
function layOut(db: DatabaseSync, path: string): void {
  inTransaction(db, () => {
    const application = pragma(db, 'application_id');
    const version = pragma(db, 'user_version');
    if (application === 0 && version === 0 && isEmpty(db)) db.exec(LAYOUT);
    else if (application !== APPLICATION_ID) throw unusable(path, 'it is a SQLite file, but no spool');
    else if (version !== LAYOUT_VERSION)
      throw unusable(path, `its layout is ${String(version)}, but this program knows ${LAYOUT_VERSION}`);
  });
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

function pragma(db: DatabaseSync, name: string): unknown {
  return db.prepare(`PRAGMA ${name}`).get()?.[name];
}

/** All of `action`, or nothing. */
export function inTransaction<T>(db: DatabaseSync, action: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = action();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite rolls some failures back by itself.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

export function isDiskFull(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_IOERR_WRITE || (code & 0xff) === SQLITE_FULL;
}

function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : 0;
}

function openError(error: unknown, path: string): unknown {
  if (error instanceof ProducerError) return error;
  const code = resultCode(error) & 0xff;
  if (code === SQLITE_BUSY) {
    const message = `the spool ${path} is in use by another producer: give each producer a SPOOL_DIR of its own`;
    return new ProducerError('SPOOL_LOCKED', message, { cause: error });
  }
  const hint = SQLITE_UNREADABLE.includes(code) ? ': move it away to start with an empty one' : '';
  return unusable(path, `${reasonOf(error)}${hint}`, error);
}

function unusable(path: string, why: string, cause?: unknown): ProducerError {
  return new ProducerError('SPOOL_UNUSABLE', `the spool ${path} (SPOOL_DIR) cannot be used: ${why}`, {
    cause,
  });
}
