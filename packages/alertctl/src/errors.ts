// How a failure ends the program: one line for people, and an exit status for scripts.
import { ConfigError, EXIT_CONFIG, maskCredentials } from '@alert-throttle/config';

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Something that the operator can act on; the message is all there is to say. */
export class CommandError extends Error {
  readonly code = 'COMMAND_FAILED';
  readonly retryable = false;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
  }
}

export function exitStatusOf(error: unknown): number {
  return error instanceof ConfigError ? EXIT_CONFIG : EXIT_FAILED;
}

/** One line, or one for each bad setting. */
export function told(error: unknown): string {
  return maskCredentials(error instanceof Error ? error.message : String(error));
}
