// Why a line became no alert. The reasons are a closed list, since they are also the values of a metric's label.

export const DEAD_LETTER_REASONS = [
  'line-too-long',
  'invalid-utf8',
  'invalid-json',
  'not-an-object',
  'not-an-alert',
  'wrong-field-type',
  'alert-too-large',
] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

export interface Refusal {
  readonly reason: DeadLetterReason;
  /** For people: which field, what was found. Bounded. */
  readonly detail: string;
}

/** What a dead letter keeps of a line: more would not fit a Kafka record beside its headers. */
export const DEAD_LETTER_VALUE_BYTES = 512 * 1024;

const MAX_DETAIL_LENGTH = 300;

export function refuse(reason: DeadLetterReason, detail: string): Refusal {
  const short = detail.length > MAX_DETAIL_LENGTH ? `${detail.slice(0, MAX_DETAIL_LENGTH)}...` : detail;
  return { reason, detail: short };
}

/** A short description of a JSON value for a message. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  const text = JSON.stringify(value);
  return `${typeof value} ${text.length > 60 ? `${text.slice(0, 60)}...` : text}`;
}
