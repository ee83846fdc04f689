// Records that cannot be decided: why, and the dead letter that keeps their bytes.

import type { OutputRecord, RawRecord, RawRecords } from '../ports.ts';
import { headerBytes } from './header-bytes.ts';

/** Why a record of the raw topic is not an alert. Also the label of the dead-letter metric. */
export const POISON_REASONS = [
  'no-magic-byte',
  'truncated',
  'trailing-bytes',
  'malformed',
  'not-an-alert-schema',
  'unknown-schema',
  'key-mismatch',
  'no-key',
  'too-large',
] as const;
export type PoisonReason = (typeof POISON_REASONS)[number];

/** A value above this is no alert of ours: KubeArmor's are below 64 KiB. */
export const MAX_RECORD_BYTES = 256 * 1024;
/** Key and headers together; ours have some hundred bytes. A batch that came compressed may hold any number. */
export const MAX_KEY_AND_HEADERS_BYTES = 64 * 1024;
/** What a dead letter keeps of a record's value. */
export const MAX_DEAD_LETTER_BYTES = 512 * 1024;
const MAX_DETAIL_CHARACTERS = 1000;

export interface Poison {
  readonly reason: PoisonReason;
  readonly detail: string;
}

/** Why a record of that size cannot be decided; undefined for one that goes through the broker as it is. */
export function tooLarge(records: RawRecords, index: number): Poison | undefined {
  const valueBytes = records.valueTo(index) - records.valueFrom(index);
  const keyBytes = records.keyTo(index) - records.keyFrom(index);
  const otherBytes = keyBytes + headerBytes(records.headers(index));
  if (valueBytes > MAX_RECORD_BYTES) {
    return { reason: 'too-large', detail: `${valueBytes} bytes, at most ${MAX_RECORD_BYTES}` };
  }
  if (otherBytes > MAX_KEY_AND_HEADERS_BYTES) {
    const detail = `${otherBytes} bytes of key and headers, at most ${MAX_KEY_AND_HEADERS_BYTES}`;
    return { reason: 'too-large', detail };
  }
  return undefined;
}

/** The bytes as they came (at most 512 KiB of the value) and headers that say why and from where. */
export function deadLetter(
  record: RawRecord,
  poison: Poison,
  topic: string,
  partition: number,
): OutputRecord {
  const size = record.value?.length ?? 0;
  const truncated = size > MAX_DEAD_LETTER_BYTES;
  return {
    topic: 'deadLetter',
    key: record.key?.subarray(0, MAX_KEY_AND_HEADERS_BYTES) ?? null,
    value: truncated ? (record.value?.subarray(0, MAX_DEAD_LETTER_BYTES) ?? null) : record.value,
    headers: {
      reason: poison.reason,
      detail: poison.detail.slice(0, MAX_DETAIL_CHARACTERS),
      topic,
      partition: String(partition),
      offset: String(record.offset),
      size: String(size),
      truncated: String(truncated),
    },
    timestampMs: record.appendMs,
  };
}
