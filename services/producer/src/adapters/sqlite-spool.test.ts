import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Spool } from '../ports.ts';
import { spoolContract, SPOOL_BYTES } from '../testing/spool-contract.ts';
import { append, record, textsIn } from '../testing/spool-records.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { RESERVE_BYTES } from './disk-reserve.ts';
import { openSqliteSpool, type SqliteSpoolOptions } from './sqlite-spool.ts';

function options(dir: string, more: Partial<SqliteSpoolOptions> = {}): SqliteSpoolOptions {
  return { dir, maxBytes: SPOOL_BYTES, schemaVersion: 7, nowMs: () => 1000, ...more };
}

function open(dir: string, more: Partial<SqliteSpoolOptions> = {}): Spool {
  const spool = openSqliteSpool(options(dir, more));
  onTestFinished(() => {
    try {
      spool.close();
    } catch {
      // Closed by the test.
    }
  });
  return spool;
}

spoolContract('SqliteSpool', () => open(join(temporaryFolder(), 'spool')));

describe('SqliteSpool', () => {
  it('makes its folder for its owner only', () => {
    const dir = join(temporaryFolder(), 'a', 'spool');
    open(dir);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });

  it('has everything again after it was closed', () => {
    const dir = temporaryFolder();
    const first = open(dir);
    const loss = { first: 3, last: 4, reason: 'spool full' } as const;
    first.append(append([record('a'), record('b'), record('c'.repeat(20_000))], 3));
    first.append(append([], 5, { loss, cursor: { source: '/a', value: '1' } }));
    const { bootId } = first;
    const usage = first.usage();
    first.close();

    const second = open(dir);
    expect(second).toMatchObject({ bootId, loss, nextSequence: 5 });
    expect(second.cursor('/a')).toBe('1');
    expect(textsIn(second)).toEqual(['a', 'b', 'c'.repeat(20_000)]);
    expect(second.usage()).toEqual(usage);
  });

  it('gives records new places after those that it has', () => {
    const dir = temporaryFolder();
    const first = open(dir);
    first.append(append([record('a'), record('b')], 3));
    first.close();
    const second = open(dir);
    second.append(append([record('c')], 4));
    second.read({ maxRecords: 9, maxBytes: 1e6 });
    second.acknowledge(2);
    expect(textsIn(second)).toEqual(['c']);
  });

  it('gives out a segment again that was acknowledged in part, but not one that was acknowledged whole', () => {
    const dir = temporaryFolder();
    const first = open(dir);
    first.append(append([record('a'), record('b')], 3));
    first.append(append([record('c'), record('d')], 5));
    first.read({ maxRecords: 9, maxBytes: 1e6 });
    first.acknowledge(3);
    expect(textsIn(first)).toEqual(['d']);
    first.close();
    expect(textsIn(open(dir))).toEqual(['c', 'd']);
  });

  it('has another boot id in another folder', () => {
    expect(open(temporaryFolder()).bootId).not.toBe(open(temporaryFolder()).bootId);
  });

  it('is refused to a second producer, and says what to do', () => {
    const dir = temporaryFolder();
    const first = open(dir);
    expect(() => openSqliteSpool(options(dir))).toThrow(
      expect.objectContaining({
        code: 'SPOOL_LOCKED',
        message: expect.stringContaining('SPOOL_DIR') as string,
      }) as Error,
    );
    first.close();
    expect(open(dir).nextSequence).toBe(1);
  });

  it('refuses a file that is no spool', () => {
    const dir = temporaryFolder();
    writeFileSync(
      join(dir, 'spool.db'),
      'not a database, but long enough to be taken for a file that was one'.repeat(99),
    );
    expect(() => openSqliteSpool(options(dir))).toThrow(
      expect.objectContaining({ code: 'SPOOL_UNUSABLE' }) as Error,
    );
  });

  it('refuses a database of something else, and one of a later program', () => {
    const other = temporaryFolder();
    const db = new DatabaseSync(join(other, 'spool.db'));
    db.exec('CREATE TABLE t (x)');
    db.close();
    expect(() => openSqliteSpool(options(other))).toThrow(
      expect.objectContaining({ code: 'SPOOL_UNUSABLE' }) as Error,
    );

    const later = temporaryFolder();
    open(later).close();
    const changed = new DatabaseSync(join(later, 'spool.db'));
    changed.exec('PRAGMA user_version = 99');
    changed.close();
    expect(() => openSqliteSpool(options(later))).toThrow(
      expect.objectContaining({ code: 'SPOOL_UNUSABLE' }) as Error,
    );
  });

  it('refuses a folder that cannot be made', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(() => openSqliteSpool(options(join(file, 'spool')))).toThrow(
      expect.objectContaining({ code: 'SPOOL_UNUSABLE' }) as Error,
    );
  });

  it('gives the room back once it is empty', () => {
    const dir = temporaryFolder();
    const spool = open(dir, { maxBytes: 64 * 1024 * 1024 });
    const megabyte = 'x'.repeat(1024 * 1024);
    for (let count = 0; count < 24; count++) spool.append(append([record(megabyte)], count + 2));
    const full = statSync(join(dir, 'spool.db')).size;
    while (spool.usage().records > 0) spool.acknowledge(spool.read({ maxRecords: 8, maxBytes: 1e9 }).length);
    spool.close();
    expect(full).toBeGreaterThan(16 * 1024 * 1024);
    expect(statSync(join(dir, 'spool.db')).size).toBeLessThan(1024 * 1024);
  });

  describe('when the disk is full', () => {
    it('says so, changes nothing, and goes on when there is room', () => {
      const spool = open(temporaryFolder(), { maxBytes: 1e9, maxPages: 40 });
      const large = record('x'.repeat(200 * 1024));
      spool.append(append([large], 2));
      expect(() => spool.append(append([large, large, large], 5))).toThrow(
        expect.objectContaining({ code: 'SPOOL_DISK_FULL', retryable: true }) as Error,
      );
      expect(spool.nextSequence).toBe(2);
      expect(spool.usage().records).toBe(1);
      // A loss can be stored even now.
      const loss = { first: 2, last: 4, reason: 'disk full' } as const;
      spool.append(append([], 5, { loss }));
      expect(spool.loss).toEqual(loss);
      spool.acknowledge(spool.read({ maxRecords: 1, maxBytes: 1 }).length);
      spool.append(append([record('announced', 'alertsLost'), large], 7));
      expect(spool.usage().records).toBe(2);
    });

    it('holds some room back for deleting', () => {
      const dir = temporaryFolder();
      open(dir);
      expect(statSync(join(dir, 'reserve')).size).toBe(RESERVE_BYTES);
    });
  });

  it(
    'survives kill -9 at any moment: what it said it has, it has, in one piece',
    { timeout: 120_000 },
    async () => {
      const dir = temporaryFolder();
      let bootId: string | undefined;
      let promised = 1;
      for (let round = 0; round < 15; round++) {
        promised = Math.max(promised, await writeUntilKilled(dir, 1 + ((round * 7) % 23)));
        const spool = open(dir, { maxBytes: 1e9 });
        bootId ??= spool.bootId;
        expect(spool.bootId).toBe(bootId);
        expect(spool.nextSequence).toBeGreaterThanOrEqual(promised);
        // The cursor was written with the records, so it must say the same as the numbers.
        expect(spool.cursor('/writer')).toBe(String(spool.nextSequence - 1));
        const numbers = textsIn(spool).map(Number);
        const first = numbers[0] ?? spool.nextSequence;
        expect(numbers).toEqual(numbers.map((_, index) => first + index));
        if (numbers.length < 1_000)
          expect(numbers.at(-1) ?? spool.nextSequence - 1).toBe(spool.nextSequence - 1);
        spool.close();
      }
      expect(promised).toBeGreaterThan(15);
      expect(existsSync(join(dir, 'spool.db'))).toBe(true);
      expect(readdirSync(dir).sort()).toEqual(['reserve', 'spool.db', 'spool.db-journal']);
    },
  );
});

const WRITER = fileURLToPath(new URL('../testing/spool-writer.ts', import.meta.url));

/** Runs a process that appends without end and kills it after so many lines of its output; the last number it promised. */
async function writeUntilKilled(dir: string, lines: number): Promise<number> {
  const child = spawn(process.execPath, [WRITER, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let promised = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    promised = Number(line);
    seen += 1;
    if (seen === lines) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return promised;
}
