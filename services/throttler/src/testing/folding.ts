// A RecordFolder over an empty fold, and what comes out of it in brief.

import type { Alert } from '@alert-throttle/alert';
import { PartitionRecords } from '@alert-throttle/kafka';
import { type Limits, PartitionFold } from '@alert-throttle/throttle';

import { RecordFolder } from '../core/record-folder.ts';
import type { OutputRecord, RawRecords } from '../ports.ts';
import type { NewRecord } from './memory-log.ts';
import { MemorySchemas } from './memory-schemas.ts';

export const SMALL_LIMITS: Limits = { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 5 };

export class Folding {
  readonly schemas = new MemorySchemas();
  readonly fold = new PartitionFold();
  readonly folder = new RecordFolder({
    fold: this.fold,
    schemas: this.schemas,
    topic: 'raw',
    partition: 3,
  });
  #offset: number;

  constructor(firstOffset = 0) {
    this.#offset = firstOffset;
    this.folder.goLive();
  }

  /** The records as they lie in the log, one after the other. */
  logged(...records: readonly NewRecord[]): RawRecords {
    return PartitionRecords.of(
      records.map(({ headers, ...record }) => ({ ...record, headers, offset: this.#offset++ })),
    );
  }

  /** Folds the records; what goes out, in brief. */
  run(records: RawRecords, limits: Limits = SMALL_LIMITS): string[] {
    this.folder.foldAll(records, limits);
    return this.taken();
  }

  taken(): string[] {
    return this.folder.takeOutputs().outputs.map((output) => briefOf(output, this.schemas));
  }
}

/** `<key> <resource>`, `<key> <operation> <dropped>`, `tombstone <key>` or `dead <reason>`. */
export function briefOf({ topic, key, value, headers }: OutputRecord, schemas: MemorySchemas): string {
  if (topic === 'deadLetter') return `dead ${String(headers?.['reason'])}`;
  if (value === null) return `tombstone ${String(key)}`;
  const alert = decoded(value, schemas);
  if (alert.Lost !== null) return `${String(key)} ${alert.Operation} ${alert.Lost.First}..${alert.Lost.Last}`;
  return alert.Throttle === null
    ? `${String(key)} ${alert.Resource}`
    : `${String(key)} ${alert.Operation} ${alert.Throttle.DroppedAlerts}`;
}

export function decoded(value: Buffer | null | undefined, schemas: MemorySchemas): Alert {
  const reader = value && schemas.reader(value);
  if (!reader) throw new Error('not an alert');
  return reader.decode(value);
}
