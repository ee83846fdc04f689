// The command line: commands, options, help.
import { settingsHelp, type Environment } from '@alert-throttle/config';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { settings } from './config.ts';
import { EXIT_FAILED, EXIT_USAGE, exitStatusOf, told } from './errors.ts';
import { kernel, kernelDetach, type KernelCommandOptions } from './kernel.ts';
import { limits, type LimitsOptions } from './limits.ts';
import { openSession, type GlobalOptions, type Session } from './session.ts';
import { tail, type TailOptions } from './tail.ts';
import { topics, type TopicsOptions } from './topics.ts';
import { windows, type WindowsOptions } from './windows.ts';

export interface ProgramOptions extends Pick<Session, 'out' | 'remark' | 'ended'> {
  readonly env: Environment;
}

const DEFAULT_LIMIT = 1_000;
const SETTINGS_HINT = '\nWhere Kafka, the registry and Redis are: "alertctl --help" lists the settings.';

/** Runs a command line (without node and script); resolves to the exit status, never rejects. */
export async function runAlertctl(args: readonly string[], options: ProgramOptions): Promise<number> {
  let status = 0;
  const program = programOf(options, (failed) => (status = failed));
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    options.remark(`alertctl: ${told(error)}`);
    return exitStatusOf(error);
  }
}

function programOf(options: ProgramOptions, setStatus: (status: number) => void): Command {
  const program = new Command('alertctl')
    .description('Looks into a running Alert Throttle: who is throttled, what comes out, under which limits.')
    .option('-c, --config <file>', 'YAML file with settings (also CONFIG_FILE)')
    .option('-v, --verbose', 'say on standard error what is done')
    .showHelpAfterError('(alertctl --help)')
    .exitOverride()
    .configureOutput({ writeErr: (text) => options.remark(text.trimEnd()) })
    .addHelpText(
      'after',
      `\n${settingsHelp(settings)}\n\nExit status: 0 done, 1 failed, 2 wrong usage, 78 wrong settings.`,
    );
  const session = (): Session => openSession(program.opts<GlobalOptions>(), options.env, options);
  // Subcommands take the settings above (exitOverride, output) from the program that they are made by.
  windowsCommand(program, session);
  tailCommand(program, session);
  limitsCommand(program, session);
  topicsCommand(program, session, setStatus);
  kernelCommand(program, session);
  return program;
}

function windowsCommand(program: Command, session: () => Session): void {
  program
    .command('windows')
    .description(
      'who is throttled now, until when, how many alerts were dropped; and how old the checkpoint is',
    )
    .option('-a, --all', 'also containers that are not throttled')
    .option('--json', 'as JSON')
    .option('-n, --limit <n>', 'at most so many containers per partition', count, DEFAULT_LIMIT)
    .addHelpText('after', SETTINGS_HINT)
    .action((options: WindowsOptions) => windows(session(), options));
}

function tailCommand(program: Command, session: () => Session): void {
  program
    .command('tail')
    .description('follow the throttled topic; ends with Ctrl-C')
    .option('--json', 'one JSON object a line')
    .option('-b, --from-beginning', 'from the oldest record instead of from now on')
    .option('--container <id>', 'only this container: the beginning of its id, or host:<node>')
    .option('--operation <name>', 'only this operation, e.g. AlertThreshold')
    .addOption(new Option('-n, --max <n>', 'end after so many records').argParser(count))
    .addHelpText('after', SETTINGS_HINT)
    .action((options: TailOptions) => tail(session(), options));
}

function limitsCommand(program: Command, session: () => Session): void {
  program
    .command('limits')
    .description('the limits in force, per partition, and since when')
    .option('--json', 'as JSON, with earlier limits')
    .addHelpText('after', SETTINGS_HINT)
    .action((options: LimitsOptions) => limits(session(), options));
}

function topicsCommand(program: Command, session: () => Session, setStatus: (status: number) => void): void {
  program
    .command('topics')
    .description('make the topics that are missing, register the schema, and check what is there')
    .option('--check', 'only check, make and register nothing')
    .option('--partitions <n>', 'partitions of new topics, where none exists yet (TOPIC_PARTITIONS)', count)
    .option('--replication <n>', 'replicas of new topics (TOPIC_REPLICATION)', count)
    .addHelpText('after', `\nExit status 1 where a problem remains.${SETTINGS_HINT}`)
    .action(async (options: TopicsOptions) => {
      if (!(await topics(session(), options))) setStatus(EXIT_FAILED);
    });
}

function kernelCommand(program: Command, session: () => Session): void {
  const command = program
    .command('kernel')
    .description('what the BPF programs of this node do: what is armed, who is throttled, counters, programs')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nNeeds root, or CAP_BPF and the rights to PIN_DIR. Exit status 1 where nothing is pinned.',
    )
    .action((options: KernelCommandOptions) => kernel(session(), options));
  command
    .command('detach')
    .description('take the programs down: no policy is enforced any more; the producer must be stopped first')
    .action(() => kernelDetach(session()));
}

function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 is needed.');
  return Number(text);
}
