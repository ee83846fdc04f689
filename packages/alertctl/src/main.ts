// Composition root of alertctl: arguments, environment, streams and signals of the process.
import { outputTo } from './output.ts';
import { runAlertctl } from './program.ts';

/** `npm run` passes a Ctrl-C on to a process that the terminal has told already: signals so near are one. */
const ONE_SIGNAL_MS = 1_000;

const out = outputTo(process.stdout);
const stop = new AbortController();
let stoppedAtMs = 0;
out.closed.addEventListener('abort', () => stop.abort(), { once: true });
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stop.signal.aborted) stoppedAtMs = performance.now();
    // Told again: do not wait any longer.
    else if (performance.now() - stoppedAtMs > ONE_SIGNAL_MS) process.exit(1);
    stop.abort();
  });
}

const status = await runAlertctl(process.argv.slice(2), {
  env: process.env,
  out,
  remark: (text) => process.stderr.write(`${text}\n`),
  ended: stop.signal,
});
// Not process.exit: what was written must get out.
process.exitCode = status;
