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
 * CONCURRENT_TRANSACTIONS: the coordinator still writes the markers of the transaction before. It is asked again within
 * milliseconds; under light load that happens at every transaction.
 */
const EVERYDAY = 'another concurrent operation on the same transaction';

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
      const everyday = message.includes(EVERYDAY) || String(fields['error']).includes(EVERYDAY);
      if (level <= logLevel.WARN && !everyday) logger.warn(line, message);
      else logger.debug(line, message);
    };
}
