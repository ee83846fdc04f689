// `npm start`: arguments, settings, signals. The only reader of process.* in this package, and what sets the exit code.
import { isAbsolute, join, resolve } from 'node:path';
import { ConfigError, configFile, settingsHelp } from '@alert-throttle/config';
import { stopSignal } from '@alert-throttle/lifecycle';
import { stackDir, stackEnv, StackError } from '@alert-throttle/stack';
import { Command } from 'commander';
import { ChildFailed } from './child.ts';
import { createScreen } from './screen.ts';
import { Session, type Source } from './session.ts';
import { loadSettings, quickstartSettings } from './settings.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const EXIT_INTERRUPTED = 130;

interface Options {
  readonly file?: string;
  readonly follow?: boolean;
  readonly config?: string;
}

const command = new Command('npm start --')
  .description(
    'Starts a local Kafka, schema registry and Redis, the throttler and the producer, feeds them a sample of ' +
      'KubeArmor alerts, and shows what comes out, per container, until everything has come through.',
  )
  .option(
    '--file <alerts.jsonl>',
    'alerts of yours instead of the sample, one as JSON a line; - is standard input',
  )
  .option('--follow', 'go on until Ctrl-C')
  .option('--config <file>', 'YAML file with settings')
  .helpOption('-h, --help', 'this help')
  .addHelpText(
    'after',
    `
With KAFKA_BROKERS, SCHEMA_REGISTRY_URL and REDIS_URL set, those are used and nothing is started.
STACK_DIR: folder of the local stack and of the logs (default: .stack of this checkout).

${settingsHelp(quickstartSettings)}`,
  )
  .parse();

class Interrupted extends Error {}

/** Where the user typed the command; npm itself runs it in the folder of the checkout. */
function fromUsersFolder(path: string): string {
  return isAbsolute(path) ? path : resolve(process.env['INIT_CWD'] ?? process.cwd(), path);
}

function sourceOf(file: string | undefined): Source {
  if (file === undefined) return { kind: 'sample' };
  return file === '-'
    ? { kind: 'stream', stream: process.stdin }
    : { kind: 'file', path: fromUsersFolder(file) };
}

async function main(options: Options): Promise<number> {
  const file = configFile(options.config, process.env);
  const path = file === undefined ? undefined : fromUsersFolder(file);
  const dir = stackDir(process.env);
  const settings = loadSettings({ env: process.env, file: path }, stackEnv({ dir }));
  const interruption = new AbortController();
  const session = new Session({
    ...settings,
    source: sourceOf(options.file),
    follow: options.follow ?? false,
    env: path === undefined ? process.env : { ...process.env, CONFIG_FILE: path },
    root: ROOT,
    stackDir: dir,
    screen: createScreen(process.stdout),
    signal: interruption.signal,
  });
  process.on('exit', () => session.killServices());
  listenForSignals(session, interruption);
  const outcome = await session.run();
  if (interruption.signal.aborted && !(options.follow ?? false)) return EXIT_INTERRUPTED;
  return outcome.complete && !outcome.addsUp ? 1 : 0;
}

/** The first stops everything in order; a second one at once. */
function listenForSignals(session: Session, interruption: AbortController): void {
  const interrupt = (): void => interruption.abort(new Interrupted());
  const stopped = stopSignal(process, {
    signals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
    again: () => void session.kill().finally(() => process.exit(EXIT_INTERRUPTED)),
  });
  stopped.addEventListener('abort', interrupt, { once: true });
  // Whoever reads what we print has gone, as with `npm start | head`.
  process.stdout.on('error', interrupt);
}

function report(error: unknown): number {
  if (error instanceof Interrupted) return EXIT_INTERRUPTED;
  if (error instanceof ChildFailed) {
    process.stderr.write(`\n${error.message}. The end of its log:\n${error.child.logTail()}\n`);
    return 1;
  }
  const expected = error instanceof ConfigError || error instanceof StackError;
  const text = error instanceof Error ? (expected ? error.message : error.stack) : String(error);
  process.stderr.write(`${text ?? 'unknown error'}\n`);
  return error instanceof ConfigError ? error.exitCode : 1;
}

// Something may still hold the process, such as a standard input that nobody closes.
process.exit(await main(command.opts<Options>()).catch(report));
