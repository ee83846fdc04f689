// The commands stack:up, stack:down and stack:status.
import { relative } from 'node:path';
import { ConfigError, loadConfig, topicCreationSettings, topicSettings } from '@alert-throttle/config';
import { topicNames } from '@alert-throttle/kafka';
import { Command } from 'commander';
import { messageOf, StackError } from './errors.ts';
import { layoutOf } from './layout.ts';
import { stackDir } from './stack-dir.ts';
import { stackDown, stackUp } from './stack.ts';
import { stackStatus, type ComponentStatus } from './status.ts';

const EXIT_NOT_UP = 3;

const dir = stackDir(process.env);
const shown = relative(process.cwd(), dir) || dir;
// Whoever read the output may leave before the end ("| head"): the work goes on.
process.stdout.on('error', () => undefined);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const environment = `
Environment:
  STACK_DIR             folder of the stack (default: .stack of this checkout)
  ALERT_THROTTLE_CACHE  folder of the jars (default: ~/.cache/alert-throttle)
  RAW_TOPIC, THROTTLED_TOPIC, DEAD_LETTER_TOPIC, TOPIC_PARTITIONS
                        topics that "up" makes where they are missing`;

const program = new Command('stack').description(
  'Apache Kafka, a schema registry and Redis as processes on this machine, all on 127.0.0.1.',
);
program
  .command('up')
  .description('Starts what does not run, returns when all of it is healthy and the topics exist.')
  .addHelpText('after', environment)
  .action(up);
program
  .command('down')
  .description('Stops it and keeps the data.')
  .option('--wipe', 'delete the data as well')
  .addHelpText('after', environment)
  .action(down);
program
  .command('status')
  .description(`Shows each server; exit code ${EXIT_NOT_UP} where not all of them are healthy.`)
  .addHelpText('after', environment)
  .action(status);

async function up(): Promise<void> {
  const config = loadConfig({ ...topicSettings, ...topicCreationSettings }, { env: process.env });
  const topics = {
    names: topicNames(config),
    partitions: config.topicPartitions,
  };
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interruption.abort(new Interrupted(signal)));
  const { env, started } = await stackUp({ dir, log: print, topics, signal: interruption.signal });
  print(started ? 'The stack is up:' : 'The stack was up already:');
  for (const [name, value] of Object.entries(env)) print(`  ${name}=${String(value)}`);
  print(`These lines are in ${shown}/env; "npm run stack:down" stops it.`);
}

class Interrupted extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}; nothing of what was started is left running`);
  }
}

async function down(options: { wipe?: boolean }): Promise<void> {
  await stackDown({ dir, wipe: options.wipe ?? false, log: print });
}

async function status(): Promise<void> {
  const all = await stackStatus({ dir });
  all.forEach((one) => print(statusLine(one)));
  print(`Folder: ${layoutOf(dir).dir}`);
  if (all.some(({ state }) => state !== 'healthy')) process.exitCode = EXIT_NOT_UP;
}

function statusLine({ title, state, pid, address, problem, log }: ComponentStatus): string {
  const details = [
    pid === undefined ? '' : `pid ${pid}`,
    address ?? '',
    problem ?? '',
    state === 'unhealthy' ? `log ${log}` : '',
  ];
  return [title.padEnd(16), state.padEnd(10), ...details.filter((text) => text !== '')].join(' ');
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof Interrupted) process.exitCode = 130;
  else if (error instanceof ConfigError) process.exitCode = error.exitCode;
  else process.exitCode = 1;
  const known = error instanceof StackError || error instanceof ConfigError || error instanceof Interrupted;
  process.stderr.write(
    `${known ? messageOf(error) : String(error instanceof Error ? error.stack : error)}\n`,
  );
}
