// What may stand between the throttler and the clients that it acts through: nothing, in production. Fault tests
// put something there that sees every step, and can die at one.

import type { Redis } from 'ioredis';

import type { GroupListener } from './adapters/kafka-group.ts';
import type { ProducerSource } from './adapters/kafka-transactions.ts';
import type { LogFacts, PartitionTransactions } from './ports.ts';

export interface Interposed {
  /** Of the transactions: send, offsets and commit one by one. */
  readonly producers: (kafka: ProducerSource) => ProducerSource;
  /** Of one partition: fence and commit as a whole. */
  readonly transactions: (transactions: PartitionTransactions) => PartitionTransactions;
  /** Of the checkpoints. */
  readonly redis: (redis: Redis) => Redis;
  readonly facts: (facts: LogFacts) => LogFacts;
  readonly listener: (listener: GroupListener) => GroupListener;
}

export const NOTHING_INTERPOSED: Interposed = {
  producers: (kafka) => kafka,
  transactions: (transactions) => transactions,
  redis: (redis) => redis,
  facts: (facts) => facts,
  listener: (listener) => listener,
};
