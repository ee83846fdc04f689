// `alertctl topics`: makes the topics that are missing, registers the schema, and checks what is there.
import { AlertCodec } from '@alert-throttle/alert';
import { registryOptions } from '@alert-throttle/config';
import {
  topicNames,
  checkTopics,
  createTopics,
  kafkaFailure,
  type TopicNames,
  type TopicProblem,
} from '@alert-throttle/kafka';
import { kafkaOf, type Session } from './session.ts';
import { plural } from './text.ts';

export interface TopicsOptions {
  /** Only check: nothing is made or registered. */
  readonly check?: boolean;
  readonly partitions?: number;
  readonly replication?: number;
}

/** Resolves to whether everything is as it must be. Throws KafkaError, RegistryUnavailableError. */
export async function topics(session: Session, options: TopicsOptions): Promise<boolean> {
  const { config, out } = session;
  const kafka = kafkaOf(session);
  const names = topicNames(config);
  try {
    if (options.check !== true) {
      const size = {
        partitions: options.partitions ?? config.topicPartitions,
        replication: options.replication ?? config.topicReplication,
      };
      for (const topic of await createTopics(kafka, names, size)) await out.print(`made topic ${topic}`);
    }
    const problems = await checkTopics(kafka, names);
    if (options.check !== true) await registerSchemas(session);
    await out.print(problemsText(names, problems));
    return problems.length === 0;
  } catch (error) {
    throw isFromKafka(error) ? kafkaFailure(error, kafka.brokers) : error;
  }
}

function isFromKafka(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}

async function registerSchemas({ config, out }: Session): Promise<void> {
  const codec = new AlertCodec(registryOptions(config));
  for (const topic of [config.rawTopic, config.throttledTopic]) {
    const id = await codec.register(topic);
    await out.print(`schema of ${topic}: id ${id}`);
  }
}

export function problemsText(names: TopicNames, problems: readonly TopicProblem[]): string {
  const topicList = [names.raw, names.throttled, names.deadLetter].join(', ');
  if (problems.length === 0) return `topics ${topicList}: as they must be`;
  const lines = problems.flatMap(({ topic, problem, fix }) => [`${topic}: ${problem}`, `    ${fix}`]);
  return [`${plural(problems.length, 'problem')} with the topics; the commands set it right:`, ...lines].join(
    '\n',
  );
}
