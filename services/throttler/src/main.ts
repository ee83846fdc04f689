// The throttler as a process: settings, adapters, signals. The only reader of process.* in this service.

import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';

import { ConfigError, configFile, settingsHelp } from '@alert-throttle/config';
import { stopSignal } from '@alert-throttle/lifecycle';
import { createLogger } from '@alert-throttle/observability';

import { throttlerSettings } from './config.ts';
import { runThrottler } from './run.ts';

const USAGE = `Usage: npm run throttler -- [--config FILE] [--help]

Reads the raw topic, throttles audit alerts per container, writes the throttled topic exactly once.
SIGTERM or SIGINT: finishes what is in hand, flushes the checkpoint, leaves the group. A second one ends at once.
`;

function fail(message: string, exitCode: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
}

function readArguments(): { config?: string | undefined; help?: boolean | undefined } {
  try {
    return parseArgs({
      options: { config: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`, 2);
  }
}

// What is fetched lies outside of V8's heap, hundreds of megabytes a second at full speed. V8 would collect all of its heap
// for every few tens of them, whatever there is to gain; this way they count like the heap itself, which may grow first.
setFlagsFromString('--external-memory-accounted-in-global-limit');

const args = readArguments();
if (args.help === true) {
  process.stdout.write(`${USAGE}\n${settingsHelp(throttlerSettings)}\n`);
  process.exit(0);
}

const signal = stopSignal(process, { again: () => process.exit(130) });

try {
  process.exitCode = await runThrottler({
    env: process.env,
    file: configFile(args.config, process.env),
    signal,
    makeLogger: (level, format) => createLogger({ service: 'throttler', level, format }),
    exit: (code) => process.exit(code),
  });
} catch (error) {
  if (error instanceof ConfigError) fail(error.message, error.exitCode);
  fail(`throttler: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, 1);
}
process.exit();
