// Says in an operator's words why Redis does not answer: refused, asks for a password, wrong password, TLS, no answer.

export const REDIS_ERROR_CODES = [
  'REDIS_REFUSED',
  'REDIS_UNREACHABLE',
  'REDIS_NO_ANSWER',
  'REDIS_CLOSED',
  'REDIS_PASSWORD_NEEDED',
  'REDIS_PASSWORD_WRONG',
  'REDIS_NOT_PERMITTED',
  'REDIS_TLS',
  'REDIS_ANSWERED_ERROR',
] as const;

export type RedisErrorCode = (typeof REDIS_ERROR_CODES)[number];

/** Redis cannot be used. The message names the address and the setting to look at; no secret is in it. */
export class RedisError extends Error {
  readonly code: RedisErrorCode;
  /** Redis is never needed for correctness, and may be back later: every failure may be tried again. */
  readonly retryable = true;

  constructor(code: RedisErrorCode, message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'RedisError';
    this.code = code;
  }
}

/** The failure in words. `address` is host:port. */
export function explained(error: unknown, address: string): RedisError {
  if (error instanceof RedisError) return error;
  const code = codeOf(error);
  return new RedisError(code, sentence(code, reasonOf(error), address), error);
}

function codeOf(error: unknown): RedisErrorCode {
  const system = error instanceof Error && 'code' in error ? String(error.code) : '';
  const text = reasonOf(error);
  if (system === 'ECONNREFUSED') return 'REDIS_REFUSED';
  if (/^(ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(system)) return 'REDIS_UNREACHABLE';
  if (system === 'ETIMEDOUT' || /timed out/i.test(text)) return 'REDIS_NO_ANSWER';
  if (isTls(system, text)) return 'REDIS_TLS';
  if (/^NOAUTH|HELLO must be called with/.test(text)) return 'REDIS_PASSWORD_NEEDED';
  if (/^WRONGPASS|invalid password|AUTH .*password/i.test(text)) return 'REDIS_PASSWORD_WRONG';
  // Redis 7.0 words it in another way where a script is refused a command or a key.
  if (/^NOPERM|user executing the script can't/.test(text)) return 'REDIS_NOT_PERMITTED';
  if (/^(ECONNRESET|EPIPE)$/.test(system) || /connection is closed|isn't writeable|max retries/i.test(text))
    return 'REDIS_CLOSED';
  return 'REDIS_ANSWERED_ERROR';
}

function isTls(system: string, text: string): boolean {
  return (
    /^(ERR_SSL|ERR_TLS|CERT_|EPROTO|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH)/.test(system) ||
    /\bSSL\b/.test(text)
  );
}

function sentence(code: RedisErrorCode, reason: string, address: string): string {
  switch (code) {
    case 'REDIS_REFUSED':
      return `Redis at ${address} refuses the connection: is it running there? (REDIS_URL)`;
    case 'REDIS_UNREACHABLE':
      return `Redis at ${address} cannot be reached: ${reason} (REDIS_URL)`;
    case 'REDIS_NO_ANSWER':
      return `Redis at ${address} does not answer in time: ${reason} (REDIS_URL; rediss:// only where it speaks TLS)`;
    case 'REDIS_CLOSED':
      return `Redis at ${address} is not connected, or closes the connection: does it want TLS? (REDIS_URL: rediss://)`;
    case 'REDIS_PASSWORD_NEEDED':
      return `Redis at ${address} asks for a password: set REDIS_PASSWORD (and REDIS_USERNAME, if it has users)`;
    case 'REDIS_PASSWORD_WRONG':
      return `Redis at ${address} does not accept this user or password: see REDIS_USERNAME and REDIS_PASSWORD`;
    case 'REDIS_NOT_PERMITTED':
      return `Redis at ${address} does not permit this to the user: ${reason}`;
    case 'REDIS_TLS':
      return `TLS with Redis at ${address} fails: ${reason} (REDIS_URL: rediss:// is TLS; REDIS_TLS_CA_FILE)`;
    case 'REDIS_ANSWERED_ERROR':
      return `Redis at ${address}: ${reason}`;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
