// What goes into the spool, and how its size is counted before it is there.
import type { Alert } from '@alert-throttle/alert';

/** `alertsLost` is an alert of our own: it says that there was no room for others. The order is stored: only append. */
export const RECORD_KINDS = ['alert', 'tombstone', 'deadLetter', 'alertsLost'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export interface NewRecord {
  readonly kind: RecordKind;
  readonly key: string;
  /** Alerts: wire format with schema id 0, since the id is known only once there is a registry. */
  readonly value: Uint8Array | null;
  /** JSON object of texts. */
  readonly headers: string | null;
}

export interface AlertEncoder {
  /** The version of the Alert schema that encode() writes. */
  readonly schemaVersion: number;
  /** Wire format with schema id 0. */
  encode(alert: Alert): Uint8Array;
}

/** What a record needs beside its contents, in the spool or in a request to Kafka: a little more than either does. */
const OVERHEAD_BYTES = 64;

/** About what a record takes, in the spool and in a request to Kafka. */
export function recordBytes({ key, value, headers }: Pick<NewRecord, 'key' | 'value' | 'headers'>): number {
  return key.length + (value?.length ?? 0) + (headers?.length ?? 0) + OVERHEAD_BYTES;
}
