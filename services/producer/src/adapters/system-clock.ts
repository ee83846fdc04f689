// The wall clock, and sleeping.
import type { Clock } from '../ports.ts';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowMicros: () => Date.now() * 1000,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      if (signal?.aborted === true) wake();
      else signal?.addEventListener('abort', wake);
    }),
};
