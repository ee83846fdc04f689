// The first signal asks for a graceful stop, a second one ends at once.

/**
 * `npm run` passes a Ctrl-C on to a process that the terminal has told already, and `timeout` tells a process and
 * its group: signals that come this close together are one.
 */
const ONE_SIGNAL_MS = 200;

/** What is needed of `process`. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
}

export interface StopSignalOptions {
  readonly signals?: readonly NodeJS.Signals[];
  /** Told again, by someone who does not want to wait: ends the process. */
  readonly again: () => void;
}

/** Aborted by the first of the signals. */
export function stopSignal(
  source: SignalSource,
  { signals = ['SIGTERM', 'SIGINT'], again }: StopSignalOptions,
): AbortSignal {
  const stop = new AbortController();
  let firstAtMs = 0;
  for (const signal of signals) {
    source.on(signal, () => {
      if (stop.signal.aborted) {
        if (performance.now() - firstAtMs > ONE_SIGNAL_MS) again();
        return;
      }
      firstAtMs = performance.now();
      stop.abort();
    });
  }
  return stop.signal;
}
