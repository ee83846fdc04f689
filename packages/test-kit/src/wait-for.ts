// Waiting for something to become true, with an error that says what it was.
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

type Falsy = false | undefined | null;

/**
 * Asks until the answer is neither false nor missing, and returns it. A condition that throws is asked again; what it
 * said last is in the error of the timeout.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Falsy | Promise<T | Falsy>,
  { timeoutMs = 60_000, intervalMs = 100 }: WaitOptions = {},
): Promise<T> {
  const startedAtMs = Date.now();
  let last: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== false && answer !== undefined && answer !== null) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() - startedAtMs >= timeoutMs)
      throw new Error(
        `waited ${timeoutMs / 1000} s in vain for ${what}`,
        last === undefined ? {} : { cause: last },
      );
    await sleep(intervalMs);
  }
}
