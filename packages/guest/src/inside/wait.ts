// Waiting for conditions: nothing in a guest happens at a time that can be foretold.
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
/** Longer than anything takes on a machine that is busy with other things; the guest as a whole has a limit too. */
const PATIENCE_MS = 300_000;

/** The first value that is neither undefined nor false. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const giveUpMs = Date.now() + patienceMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > giveUpMs) throw new Error(`in vain waited for ${what}, ${patienceMs} ms`);
    await sleep(POLL_MS);
  }
}
