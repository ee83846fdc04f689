// What the harness says when it cannot do its work: one sentence that tells a person what to do about it.

export const GUEST_ERROR_CODES = [
  'NO_MIRROR',
  'NO_KERNEL',
  'TOOL_FAILED',
  'BAD_REQUEST',
  'GUEST_FAILED',
] as const;

export type GuestErrorCode = (typeof GUEST_ERROR_CODES)[number];

export class GuestError extends Error {
  override readonly name = 'GuestError';
  readonly code: GuestErrorCode;

  constructor(code: GuestErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
