// Where a run finds its servers: the local stack, or those that the user named. The topics exist afterwards.
import type { RegistryOptions } from '@alert-throttle/alert';
import { registryOptions } from '@alert-throttle/config';
import {
  createKafka,
  createTopics,
  kafkaOptions,
  type KafkaOptions,
  type TopicNames,
} from '@alert-throttle/kafka';
import type { Logger } from '@alert-throttle/observability';
import type { Screen } from './screen.ts';
import type { QuickstartConfig } from './settings.ts';
import type { StackUse } from './stack-use.ts';

export interface Servers {
  readonly kafka: KafkaOptions;
  readonly registry: RegistryOptions;
  /** For the services. */
  readonly env: NodeJS.ProcessEnv;
}

export interface ServersOptions {
  readonly config: QuickstartConfig;
  /** The addresses in the config are to be used. */
  readonly external: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly stack: StackUse;
  readonly topics: TopicNames;
  readonly screen: Screen;
  readonly logger: Logger;
}

export async function findServers(options: ServersOptions): Promise<Servers> {
  const { config, external, env, stack, topics, screen, logger } = options;
  const kafka = kafkaOptions(config, 'alert-throttle-view');
  if (!external) {
    const addresses = await stack.up();
    return {
      kafka: { ...kafka, brokers: addresses.KAFKA_BROKERS.split(',') },
      registry: { ...registryOptions(config), url: addresses.SCHEMA_REGISTRY_URL },
      env: { ...env, ...addresses },
    };
  }
  const size = { partitions: config.topicPartitions, replication: config.topicReplication };
  const made = await createTopics(createKafka(kafka, logger), topics, size);
  if (made.length > 0) screen.print(`Topics made: ${made.join(', ')}.`);
  return { kafka, registry: registryOptions(config), env };
}
