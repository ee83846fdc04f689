// What every spool does, whatever it is made of.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Loss } from '../core/loss.ts';
import { recordBytes } from '../core/record.ts';
import type { Spool } from '../ports.ts';
import { append, record, READ_ALL, textsIn } from './spool-records.ts';

export const SPOOL_BYTES = 64 * 1024;

/** `open` gives a new, empty spool of SPOOL_BYTES, with schema version 7 and the time 1000 ms. */
export function spoolContract(name: string, open: () => Spool): void {
  describe(`${name} as a spool`, () => {
    let spool: Spool;
    beforeEach(() => (spool = open()));

    it('begins empty, with the first number', () => {
      expect(spool.usage()).toEqual({ records: 0, bytes: 0, oldestAtMs: undefined });
      expect(spool.nextSequence).toBe(1);
      expect(spool.loss).toBeUndefined();
      expect(spool.bootId).not.toBe('');
      expect(spool.read(READ_ALL)).toEqual([]);
    });

    it('gives back what was appended, in order', () => {
      spool.append(
        append([record('a'), { kind: 'tombstone', key: 'k', value: null, headers: '{"a":"b"}' }], 3),
      );
      spool.append(append([record('c', 'deadLetter'), record('d', 'alertsLost')], 4));
      expect(spool.read(READ_ALL)).toMatchObject([
        { kind: 'alert', key: 'container', headers: null, schemaVersion: 7 },
        { kind: 'tombstone', key: 'k', value: null, headers: '{"a":"b"}' },
        { kind: 'deadLetter' },
        { kind: 'alertsLost' },
      ]);
      expect(textsIn(spool)).toEqual(['a', '', 'c', 'd']);
      expect(spool.nextSequence).toBe(4);
    });

    it('takes the bytes as they are at that moment', () => {
      const bytes = Buffer.from('before');
      spool.append(append([{ ...record(''), value: bytes }], 2));
      bytes.fill('x');
      expect(textsIn(spool)).toEqual(['before']);
    });

    it('reads at most so many records, and so many bytes, but one at least', () => {
      spool.append(
        append(
          ['a', 'b', 'c'].map((text) => record(text)),
          4,
        ),
      );
      const one = recordBytes(record('a'));
      expect(spool.read({ maxRecords: 2, maxBytes: 1e6 })).toHaveLength(2);
      expect(spool.read({ maxRecords: 9, maxBytes: 2 * one })).toHaveLength(2);
      expect(spool.read({ maxRecords: 9, maxBytes: 1 })).toHaveLength(1);
    });

    it('forgets what is acknowledged, and nothing else', () => {
      spool.append(
        append(
          ['a', 'b', 'c'].map((text) => record(text)),
          4,
        ),
      );
      spool.read(READ_ALL);
      spool.acknowledge(2);
      expect(textsIn(spool)).toEqual(['c']);
      spool.flush();
      spool.append(append([record('d')], 5));
      expect(textsIn(spool)).toEqual(['c', 'd']);
      spool.acknowledge(0);
      spool.acknowledge(2);
      expect(textsIn(spool)).toEqual([]);
    });

    it('counts what is in it', () => {
      spool.append(append([record('a'), record('b'.repeat(20_000))], 3));
      expect(spool.usage()).toMatchObject({ records: 2, oldestAtMs: 1000 });
      expect(spool.usage().bytes).toBeGreaterThan(20_000);
      spool.acknowledge(spool.read(READ_ALL).length);
      expect(spool.usage()).toEqual({ records: 0, bytes: 0, oldestAtMs: undefined });
    });

    it('is full at its bound, until something is acknowledged', () => {
      expect(spool.fits(SPOOL_BYTES)).toBe(true);
      expect(spool.fits(SPOOL_BYTES + 1)).toBe(false);
      spool.append(append([record('x'.repeat(SPOOL_BYTES / 4))], 2));
      const { bytes } = spool.usage();
      expect(spool.fits(SPOOL_BYTES - bytes)).toBe(true);
      expect(spool.fits(SPOOL_BYTES - bytes + 1)).toBe(false);
      spool.acknowledge(spool.read(READ_ALL).length);
      expect(spool.fits(SPOOL_BYTES)).toBe(true);
    });

    it('has another bound when told so', () => {
      spool.setMaxBytes(10);
      expect(spool.fits(11)).toBe(false);
    });

    it('remembers a loss until it is announced', () => {
      const loss: Loss = { first: 1, last: 9, reason: 'spool full' };
      spool.append(append([], 10, { loss }));
      expect(spool).toMatchObject({ loss, nextSequence: 10 });
      spool.append(append([record('lost', 'alertsLost')], 11));
      expect(spool.loss).toBeUndefined();
    });

    it('remembers where sources are until it is told to forget', () => {
      expect(spool.cursor('/a')).toBeUndefined();
      spool.append(append([record('a')], 2, { cursor: { source: '/a', value: '1' } }));
      spool.append(append([record('b')], 3, { cursor: { source: '/b', value: '2' } }));
      spool.append(append([record('c')], 4, { cursor: { source: '/a', value: '3' } }));
      expect([spool.cursor('/a'), spool.cursor('/b')]).toEqual(['3', '2']);
      spool.forgetCursor('/a');
      spool.flush();
      expect([spool.cursor('/a'), spool.cursor('/b')]).toEqual([undefined, '2']);
    });
  });
}
