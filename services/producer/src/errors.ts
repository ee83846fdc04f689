// The failures that the pipeline tells apart. Callers match on `code`, never on text.

export const PRODUCER_ERROR_CODES = [
  'SOURCE_UNREADABLE',
  'KERNEL_UNUSABLE',
  'SPOOL_LOCKED',
  'SPOOL_UNUSABLE',
  'SPOOL_DISK_FULL',
  'TOPIC_UNUSABLE',
  'SEND_FAILED',
  'SEND_TIMEOUT',
] as const;
export type ProducerErrorCode = (typeof PRODUCER_ERROR_CODES)[number];

const RETRYABLE: ReadonlySet<ProducerErrorCode> = new Set([
  'SPOOL_DISK_FULL',
  'TOPIC_UNUSABLE',
  'SEND_FAILED',
  'SEND_TIMEOUT',
]);

export class ProducerError extends Error {
  readonly code: ProducerErrorCode;
  /** Whether the same may succeed later without anybody changing the program or its input. */
  readonly retryable: boolean;

  constructor(code: ProducerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProducerError';
    this.code = code;
    this.retryable = RETRYABLE.has(code);
  }
}

/** One line that says what went wrong: the message of an error, or of the first cause that has one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message !== '' ? error.message : error.name;
  const cause = error.cause instanceof Error ? error.cause.message : '';
  return cause === '' || text.includes(cause) ? text : `${text}: ${cause}`;
}

/** The `code` of a system or library error, or ''. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
