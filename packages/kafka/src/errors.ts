// Says in an operator's words why Kafka does not answer: refused, no answer, TLS, wrong password, not allowed.

export const KAFKA_ERROR_CODES = [
  'KAFKA_REFUSED',
  'KAFKA_UNREACHABLE',
  'KAFKA_NO_ANSWER',
  'KAFKA_CLOSED',
  'KAFKA_TLS',
  'KAFKA_PASSWORD_WRONG',
  'KAFKA_NOT_PERMITTED',
  'KAFKA_ANSWERED_ERROR',
] as const;

export type KafkaErrorCode = (typeof KAFKA_ERROR_CODES)[number];

/** Kafka cannot be used. The message names the address and the setting to look at; no secret is in it. */
export class KafkaError extends Error {
  readonly code: KafkaErrorCode;
  readonly retryable: boolean;

  constructor(code: KafkaErrorCode, message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'KafkaError';
    this.code = code;
    this.retryable = !['KAFKA_TLS', 'KAFKA_PASSWORD_WRONG', 'KAFKA_NOT_PERMITTED'].includes(code);
  }
}

/** What to tell of an error that kafkajs threw. */
export function kafkaFailure(error: unknown, brokers: readonly string[]): KafkaError {
  if (error instanceof KafkaError) return error;
  const root = rootOf(error);
  const code = codeOf(root);
  const address = 'broker' in root && typeof root.broker === 'string' ? root.broker : brokers.join(',');
  return new KafkaError(code, sentence(code, root.message, address), error);
}

/** kafkajs wraps the failure of the last attempt. */
function rootOf(error: unknown): Error {
  let current = error;
  for (let depth = 0; depth < 10; depth++) {
    if (!(current instanceof Error) || !(current.cause instanceof Error)) break;
    current = current.cause;
  }
  return current instanceof Error ? current : new Error(String(current));
}

const NOT_PERMITTED = /AUTHORIZATION_FAILED$/;

function codeOf(error: Error): KafkaErrorCode {
  const code = 'code' in error ? String(error.code) : '';
  const type = 'type' in error ? String(error.type) : '';
  const text = error.message;
  if (NOT_PERMITTED.test(type)) return 'KAFKA_NOT_PERMITTED';
  if (error.name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED')
    return 'KAFKA_PASSWORD_WRONG';
  if (code === 'ECONNREFUSED' || text.includes('ECONNREFUSED')) return 'KAFKA_REFUSED';
  if (/ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/.test(`${code} ${text}`)) return 'KAFKA_UNREACHABLE';
  if (
    /^(ERR_SSL|ERR_TLS|CERT_|EPROTO|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_)/.test(code) ||
    /\bSSL\b|certificate/i.test(text)
  )
    return 'KAFKA_TLS';
  if (error.name === 'KafkaJSRequestTimeoutError' || /timeout|ETIMEDOUT/i.test(`${code} ${text}`))
    return 'KAFKA_NO_ANSWER';
  if (
    error.name === 'KafkaJSConnectionClosedError' ||
    /ECONNRESET|EPIPE|disconnected|Closed connection/.test(`${code} ${text}`)
  )
    return 'KAFKA_CLOSED';
  return 'KAFKA_ANSWERED_ERROR';
}

function sentence(code: KafkaErrorCode, reason: string, address: string): string {
  switch (code) {
    case 'KAFKA_REFUSED':
      return `Kafka at ${address} refuses the connection: is it running there? (KAFKA_BROKERS)`;
    case 'KAFKA_UNREACHABLE':
      return `Kafka at ${address} cannot be reached: ${reason} (KAFKA_BROKERS)`;
    case 'KAFKA_NO_ANSWER':
      return `Kafka at ${address} does not answer in time: ${reason} (KAFKA_BROKERS; KAFKA_TLS, if it wants TLS)`;
    case 'KAFKA_CLOSED':
      return `Kafka at ${address} closes the connection: ${reason} (does it want TLS or SASL? KAFKA_TLS, KAFKA_SASL_MECHANISM)`;
    case 'KAFKA_TLS':
      return `TLS with Kafka at ${address} fails: ${reason} (KAFKA_TLS, KAFKA_TLS_CA_FILE)`;
    case 'KAFKA_PASSWORD_WRONG':
      return `Kafka at ${address} does not accept user, password or mechanism: ${reason} (KAFKA_SASL_*)`;
    case 'KAFKA_NOT_PERMITTED':
      return `Kafka at ${address} does not permit this to the user: ${reason}`;
    case 'KAFKA_ANSWERED_ERROR':
      return `Kafka at ${address}: ${reason}`;
  }
}
