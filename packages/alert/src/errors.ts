/** What can go wrong with a record or with the registry. Callers match on `code` and class, never on text. */

export const ALERT_FORMAT_CODES = [
  'NO_MAGIC_BYTE',
  'TRUNCATED',
  'TRAILING_BYTES',
  'MALFORMED',
  'NOT_AN_ALERT_SCHEMA',
] as const;
export type AlertFormatCode = (typeof ALERT_FORMAT_CODES)[number];

/** The record itself is bad: asking again gives the same answer. `MALFORMED`: bytes that no writer of the schema makes. */
export class AlertFormatError extends Error {
  readonly code: AlertFormatCode;
  readonly retryable = false;

  constructor(code: AlertFormatCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AlertFormatError';
    this.code = code;
  }
}

/** The registry gave no usable answer (refused, timeout, 5xx, 401, a proxy's page ...): any answer but its own 404. */
export class RegistryUnavailableError extends Error {
  readonly code = 'REGISTRY_UNAVAILABLE';
  readonly retryable = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RegistryUnavailableError';
  }
}
