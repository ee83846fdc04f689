// kafkajs's own log lines, into the log of the service.
import { logLevel, type LogEntry } from 'kafkajs';

/** What is needed of a logger; pino's is one. */
export interface KafkaLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** kafkajs says this once a process, although every producer here names its partitioner. */
const PARTITIONER_WARNING = 'KafkaJS v2.0.0 switched default partitioner';

/**
 * kafkajs tells of every attempt that it retries as an error; that is a warning here, since errors that matter are
 * thrown. What it calls information (every pause and resume of a partition) is for debugging.
 */
export function logInto(logger: KafkaLogger): () => (entry: LogEntry) => void {
  return () =>
    ({ namespace, level, log }) => {
      const { message, ...fields } = log;
      if (message.startsWith(PARTITIONER_WARNING)) return;
      const line = { ...fields, timestamp: undefined, logger: undefined, kafkajs: namespace };
      if (level <= logLevel.WARN) logger.warn(line, message);
      else logger.debug(line, message);
    };
}
