// The log: one JSON object a line on standard output, or readable lines; never a password.
import { pino, type DestinationStream, type Logger } from 'pino';
import pinoPretty from 'pino-pretty';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly service: string;
  readonly level: string;
  readonly format: 'json' | 'pretty';
  /** Standard output where not given. */
  readonly destination?: DestinationStream;
}

/** Fields of these names are masked, at the top and up to two levels below. */
const SECRET_FIELDS = [
  'password',
  'secret',
  'token',
  'authorization',
  'kafkaSaslPassword',
  'schemaRegistryPassword',
  'redisPassword',
];

const REDACTED = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

export function createLogger({ service, level, format, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service },
    redact: { paths: REDACTED, censor: '***' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (format === 'json') return pino(options, destination ?? pino.destination({ dest: 1, sync: true }));
  // In this process, not in a worker: nothing is lost at exit, and a test can read it.
  const pretty = pinoPretty({
    colorize: destination === undefined && process.stdout.isTTY,
    ignore: 'service,pid,hostname',
    translateTime: 'HH:MM:ss.l',
    messageFormat: '{service}: {msg}',
    singleLine: true,
    destination: destination ? asWritable(destination) : 1,
    sync: true,
  });
  return pino(options, pretty);
}

function asWritable(destination: DestinationStream): NodeJS.WritableStream {
  return destination as unknown as NodeJS.WritableStream;
}
