// What one run of the producer did, in numbers: for the last line of its log, for people, and for the metrics.
import type { DeadLetterReason } from './core/dead-letters.ts';
import type { LossReason } from './core/loss.ts';
import type { RecordKind } from './core/record.ts';

export interface Totals {
  /** Lines that were not blank. */
  readonly linesRead: number;
  readonly alertsRead: number;
  /** Acknowledged by the broker, those of an earlier run included. */
  readonly alertsProduced: number;
  readonly tombstonesProduced: number;
  readonly deadLettersProduced: number;
  readonly alertsLost: number;
  readonly deadLettersLost: number;
  readonly unknownFieldsKept: number;
  readonly unknownFieldsDropped: number;
  /** Alerts that said nowhere when they happened. */
  readonly guessedTimes: number;
  /** Records that an earlier run left in the spool; it may have sent some of them already. */
  readonly recordsFromEarlierRun: number;
  readonly recordsLeftInSpool: number;
}

/** Told what happens, in bulk. */
export interface Observer {
  read(read: { alerts: number; unknownKept: number; unknownDropped: number; guessedTimes: number }): void;
  deadLetter(reason: DeadLetterReason): void;
  produced(kind: RecordKind, records: number): void;
  lost(reason: LossReason, alerts: number, deadLetters: number): void;
  sent(seconds: number): void;
  sendFailed(): void;
}

/** `12 lines read, 10 alerts produced, ...`: zeros that nobody asks about are left out. */
export function summary(totals: Totals): string {
  const always = [
    count(totals.linesRead, 'line', 'read'),
    count(totals.alertsProduced, 'alert', 'produced'),
    count(totals.tombstonesProduced, 'tombstone', 'produced'),
    count(totals.deadLettersProduced, 'dead letter', 'produced'),
    count(totals.alertsLost, 'alert', 'lost'),
  ];
  const sometimes: [number, string, string][] = [
    [totals.deadLettersLost, 'dead letter', 'lost'],
    [totals.unknownFieldsKept, 'unknown field', 'kept in EventData'],
    [totals.unknownFieldsDropped, 'unknown field', 'dropped'],
    [totals.guessedTimes, 'alert', 'without a time'],
    [totals.recordsFromEarlierRun, 'record', 'taken over from an earlier run'],
    [totals.recordsLeftInSpool, 'record', 'left in the spool for the next run'],
  ];
  return [...always, ...sometimes.flatMap(([n, noun, verb]) => (n === 0 ? [] : [count(n, noun, verb)]))].join(
    ', ',
  );
}

function count(n: number, noun: string, verb: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'} ${verb}`;
}
