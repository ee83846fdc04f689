// A scenario that never comes to its end.
import { setTimeout as sleep } from 'node:timers/promises';

export default async function hangs(): Promise<void> {
  for (;;) await sleep(1_000);
}
