// What the launcher says when it cannot do its work: one sentence that tells a person what to do about it.

export const STACK_ERROR_CODES = [
  'UNSUPPORTED_SYSTEM',
  'MISSING_PROGRAM',
  'INSTALL_FAILED',
  'JARS_FAILED',
  'COMPONENT_DIED',
  'NOT_HEALTHY',
  'WILL_NOT_STOP',
  'BUSY',
] as const;

export type StackErrorCode = (typeof STACK_ERROR_CODES)[number];

export class StackError extends Error {
  override readonly name = 'StackError';
  readonly code: StackErrorCode;

  constructor(code: StackErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
