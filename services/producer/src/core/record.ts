// What goes into the spool, and how much room it takes there: the spool's bound is about the disk.
import type { Alert } from '@alert-throttle/alert';

/** `alertsLost` is an alert of our own: it says that there was no room for others. The order is that of the spool's numbers. */
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
  /** Wire format with schema id 0. The bytes are valid until release(). */
  encode(alert: Alert): Uint8Array;
  /** Nobody needs the bytes of earlier encode() calls any more. */
  release(): void;
}

/** Size of the pages that the spool's file is made of. */
export const SPOOL_PAGE_BYTES = 16 * 1024;

/** What a row needs beside its contents, with room for the slack of a page. */
export const ROW_BYTES = 96;

/** A record that is larger than this takes whole pages of its own. */
export const IN_PAGE_BYTES = SPOOL_PAGE_BYTES / 2;

export function recordBytes({ key, value, headers }: Pick<NewRecord, 'key' | 'value' | 'headers'>): number {
  return contentBytes(key.length + (value?.length ?? 0) + (headers?.length ?? 0));
}

/** `content`: characters of key and headers, bytes of the value. */
function contentBytes(content: number): number {
  if (content <= IN_PAGE_BYTES) return content + ROW_BYTES;
  return Math.ceil(content / SPOOL_PAGE_BYTES) * SPOOL_PAGE_BYTES + SPOOL_PAGE_BYTES;
}
