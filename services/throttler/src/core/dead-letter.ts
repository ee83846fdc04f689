// Records that cannot be decided: why, and the dead letter that keeps their bytes.

import type { OutputRecord, RawRecord } from '../ports.ts';

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

/** A record above this is no alert of ours: KubeArmor's are below 64 KiB. */
export const MAX_RECORD_BYTES = 256 * 1024;
/** What a dead letter keeps of a record's bytes. */
export const MAX_DEAD_LETTER_BYTES = 512 * 1024;

export interface Poison {
  readonly reason: PoisonReason;
  readonly detail: string;
}

/** The bytes as they came (at most 512 KiB of them) and headers that say why and from where. */
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
    key: record.key,
    value: truncated ? (record.value?.subarray(0, MAX_DEAD_LETTER_BYTES) ?? null) : record.value,
    headers: {
      reason: poison.reason,
      detail: poison.detail,
      topic,
      partition: String(partition),
      offset: String(record.offset),
      size: String(size),
      truncated: String(truncated),
    },
    timestampMs: record.appendMs,
  };
}
