// A pause that ends early, with the reason that was given, when its caller no longer wants what it waits for.
import { setTimeout as sleep } from 'node:timers/promises';

/** Node's own timer rejects with an AbortError, in which the reason is only the cause. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
  signal?.throwIfAborted();
}
