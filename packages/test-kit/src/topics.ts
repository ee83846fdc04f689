// Topics of one test: names of its own, made as the services want them.
import { randomBytes } from 'node:crypto';
import { createKafka, createTopics, type AlertKafka, type TopicNames } from '@alert-throttle/kafka';
import type { RetryOptions } from 'kafkajs';
import { inject } from 'vitest';

/** No two tests share a topic, a group or a key in Redis, in this run or another on the same servers. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString('hex')}`;
}

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A client of its own, as consumers need one each. */
export function testKafka(clientId = 'test'): AlertKafka {
  return createKafka({ brokers: inject('stack').KAFKA_BROKERS.split(','), clientId }, silent);
}

/** A client of another Kafka than that of the stack. */
export function kafkaAt(brokers: readonly string[], retry: RetryOptions = {}): AlertKafka {
  return createKafka({ brokers, clientId: 'test', retry }, silent);
}

export async function createTestTopics(partitions = 1, prefix = 'test'): Promise<TopicNames> {
  const name = uniqueName(prefix);
  const names = { raw: `${name}.raw`, throttled: `${name}.throttled`, deadLetter: `${name}.dead-letter` };
  await createTopics(testKafka(), names, { partitions, replication: 1 });
  return names;
}

/** What services need to know to use the topics. */
export function topicEnv({ raw, throttled, deadLetter }: TopicNames): Record<string, string> {
  return { RAW_TOPIC: raw, THROTTLED_TOPIC: throttled, DEAD_LETTER_TOPIC: deadLetter };
}
