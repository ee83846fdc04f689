// The stack of a test run as containers, where a container engine and the images are there (TEST_STACK=containers).
import { createServer } from 'node:net';
import { GenericContainer, getContainerRuntimeClient, Wait, type StartedTestContainer } from 'testcontainers';
import type { ProvidedStack } from './providers.ts';

/** The versions of infra/compose.yaml. */
export const IMAGES = {
  kafka: 'apache/kafka:4.4.0',
  registry: 'apicurio/apicurio-registry:3.0.9',
  redis: 'redis:7.0.15-bookworm',
} as const;

const START_MS = 180_000;

export async function containerStack(): Promise<ProvidedStack> {
  const host = await engineHost();
  const starts = await Promise.allSettled([startKafka(host), startRegistry(), startRedis()]);
  const started = starts.filter((one) => one.status === 'fulfilled').map((one) => one.value);
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(({ container }) => container.stop()));
  };
  const failed = starts.find((one) => one.status === 'rejected');
  if (failed) {
    await stop();
    throw new Error('TEST_STACK=containers: a container did not start', { cause: failed.reason });
  }
  const [kafka = '', registry = '', redis = ''] = started.map(({ address }) => address(host));
  return { env: { KAFKA_BROKERS: kafka, SCHEMA_REGISTRY_URL: registry, REDIS_URL: redis }, stop };
}

/** The address at which published ports are reached. Throws, in words for a person, where there is no engine. */
async function engineHost(): Promise<string> {
  try {
    return (await getContainerRuntimeClient()).info.containerRuntime.host;
  } catch (cause) {
    throw new Error(
      'TEST_STACK=containers needs a running container engine (Docker or Podman), and none answers here; ' +
        'leave TEST_STACK unset to test with plain processes',
      { cause },
    );
  }
}

interface Started {
  readonly container: StartedTestContainer;
  readonly address: (host: string) => string;
}

/** Kafka tells clients its own address, so the port must be known before the start: the same inside and outside. */
async function startKafka(host: string): Promise<Started> {
  const port = await freePort();
  const container = await new GenericContainer(IMAGES.kafka)
    .withExposedPorts({ container: port, host: port })
    .withEnvironment(kafkaEnvironment(host, port))
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(START_MS)
    .start();
  return { container, address: () => `${host}:${port}` };
}

function kafkaEnvironment(host: string, port: number): Record<string, string> {
  return {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@127.0.0.1:29093',
    KAFKA_LISTENERS: `BROKER://0.0.0.0:${port},CONTROLLER://127.0.0.1:29093`,
    KAFKA_ADVERTISED_LISTENERS: `BROKER://${host}:${port}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'BROKER',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '8',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: '8',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
  };
}

async function startRegistry(): Promise<Started> {
  const port = 8080;
  const container = await new GenericContainer(IMAGES.registry)
    .withExposedPorts(port)
    .withWaitStrategy(Wait.forHttp('/apis/ccompat/v7/subjects', port))
    .withStartupTimeout(START_MS)
    .start();
  const address = (host: string): string => `http://${host}:${container.getMappedPort(port)}/apis/ccompat/v7`;
  return { container, address };
}

async function startRedis(): Promise<Started> {
  const port = 6379;
  const container = await new GenericContainer(IMAGES.redis)
    .withExposedPorts(port)
    .withCommand(['redis-server', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'])
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(START_MS)
    .start();
  return { container, address: (host) => `redis://${host}:${container.getMappedPort(port)}` };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('no free port'));
      });
    });
  });
}
