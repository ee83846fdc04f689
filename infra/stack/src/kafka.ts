// Apache Kafka as one process: broker and controller in one (KRaft), for one person's machine.
import { createKafka, createTopics, type AlertKafka, type TopicNames } from '@alert-throttle/kafka';
import type { Command, Component, StartContext } from './component.ts';
import { kafkaCommand, nodeProperties } from './kafka-node.ts';
import { HOST, type Ports } from './ports.ts';

const NODE_ID = 1;

export const kafka: Component = {
  name: 'kafka',
  title: 'Kafka',
  ports: ['kafka', 'controller'],
  graceMs: 20_000,
  prepare,
  probe: async (ports) => {
    await withAdmin([address(ports)], (admin) => admin.describeCluster());
  },
  settle: (ports) => warmCoordinators([address(ports)]),
};

function prepare(context: StartContext): Promise<Command> {
  const { kafka: broker, controller } = context.ports;
  const home = context.layout.data('kafka');
  return kafkaCommand(context, home, {
    properties: nodeProperties({
      nodeId: NODE_ID,
      voters: [{ nodeId: NODE_ID, port: controller }],
      ports: { broker, controller },
      replication: 1,
    }),
  });
}

type Admin = ReturnType<AlertKafka['admin']>;

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function client(brokers: readonly string[]): AlertKafka {
  return createKafka(
    {
      brokers,
      clientId: 'local-stack',
      connectionTimeoutMs: 2_000,
      requestTimeoutMs: 10_000,
      retry: { retries: 3, initialRetryTime: 100 },
    },
    silent,
  );
}

function address(ports: Ports): string {
  return `${HOST}:${ports.kafka}`;
}

export async function withAdmin<T>(
  brokers: readonly string[],
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = client(brokers).admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/**
 * A broker makes the topics of its coordinators at the first request for one, and says "not available" meanwhile.
 * Asking here shows that topics can be made, and spares the first consumer and the first transaction the wait.
 */
export async function warmCoordinators(brokers: readonly string[]): Promise<void> {
  await withAdmin(brokers, (admin) => admin.fetchOffsets({ groupId: 'local-stack' }));
  const producer = client(brokers).producer({ transactionalId: 'local-stack', maxInFlightRequests: 1 });
  try {
    await producer.connect();
    await (await producer.transaction()).abort();
  } finally {
    await producer.disconnect();
  }
}

export interface TopicPlan {
  readonly names: TopicNames;
  readonly partitions: number;
}

export function makeTopics(ports: Ports, { names, partitions }: TopicPlan): Promise<string[]> {
  return createTopics(client([address(ports)]), names, { partitions, replication: 1 });
}
