// The producer as a process: arguments, signals, exit status. The only reader of process.* in this service.
import { parseArgs } from 'node:util';
import { ConfigError, configFile, EXIT_CONFIG, settingsHelp } from '@alert-throttle/config';
import { stopSignal } from '@alert-throttle/lifecycle';
import { createLogger } from '@alert-throttle/observability';
import { producerSettings } from './config.ts';
import { ProducerError, type ProducerErrorCode } from './errors.ts';
import { runProducer } from './run.ts';
import { summary } from './totals.ts';

const USAGE = `Usage: npm run producer -- --file FILE [--source jsonl] [--config FILE] [--from-start]
       npm run producer -- --source kernel [--config FILE]

Produces alerts to Kafka. From a file, or standard input (--file -), with one KubeArmor alert as JSON per line: ends when
all of it has been produced and acknowledged. A line {"Operation":"ContainerDeleted","ContainerID":"..."} says that a
container is gone. From the kernel: enforces the KubeArmorPolicy files of POLICY_DIR in the containers of this node by BPF
programs, until it is stopped; the programs stay attached and go on enforcing (alertctl kernel shows them).

  --source NAME    where alerts come from: jsonl or kernel (SOURCE)
  --file FILE      the file, or - for standard input (FILE)
  --config FILE    settings as YAML (CONFIG_FILE)
  --from-start     read FILE from its start, even if an earlier run of it was interrupted
  --help           this text

SIGTERM or SIGINT: stops reading, stores what was read, sends for a few seconds more. A second one ends at once.
Exit status: 0 done, 1 failed, ${EXIT_CONFIG} wrong settings, 130 ended by a second signal.
`;

const EXIT_FAILED = 1;
const EXIT_SIGNALLED = 130;

function fail(message: string, exitCode: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        source: { type: 'string' },
        file: { type: 'string' },
        config: { type: 'string' },
        'from-start': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`, EXIT_CONFIG);
  }
}

const SETTINGS_CODES: ReadonlySet<ProducerErrorCode> = new Set(['SOURCE_UNREADABLE', 'KERNEL_UNUSABLE']);

/** The source and the spool are settings too: what is wrong with them, a restart will not cure. */
function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return error.exitCode;
  const isSettings = error instanceof ProducerError && SETTINGS_CODES.has(error.code);
  return isSettings ? EXIT_CONFIG : EXIT_FAILED;
}

const args = readArguments();
if (args.help === true) {
  process.stdout.write(`${USAGE}\n${settingsHelp(producerSettings)}\n`);
  process.exit(0);
}

const stop = stopSignal(process, { again: () => process.exit(EXIT_SIGNALLED) });

try {
  const totals = await runProducer({
    env: {
      ...process.env,
      ...(args.source === undefined ? {} : { SOURCE: args.source }),
      ...(args.file === undefined ? {} : { FILE: args.file }),
    },
    configFile: configFile(args.config, process.env),
    fromStart: args['from-start'] === true,
    // npm runs scripts in the folder of package.json; the user meant the one where npm was called.
    cwd: (process.env['npm_lifecycle_event'] === 'producer' && process.env['INIT_CWD']) || process.cwd(),
    stdin: process.stdin,
    stop,
    makeLogger: ({ logLevel: level, logFormat: format }) =>
      createLogger({ service: 'producer', level, format }),
  });
  process.stderr.write(`${summary(totals)}\n`);
  process.exit(0);
} catch (error) {
  const expected = error instanceof ConfigError || error instanceof ProducerError;
  const stack = error instanceof Error ? error.stack : undefined;
  fail(`producer: ${expected ? error.message : (stack ?? String(error))}`, exitCodeOf(error));
}
