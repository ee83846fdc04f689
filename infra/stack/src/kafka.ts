// Apache Kafka as one process: broker and controller in one (KRaft), for one person's machine.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKafka, createTopics, type AlertKafka, type TopicNames } from '@alert-throttle/kafka';
import { jvmFlags, type Command, type Component, type StartContext } from './component.ts';
import { StackError } from './errors.ts';
import { HOST, type Ports } from './ports.ts';
import { run, tail } from './run.ts';

const NODE_ID = 1;
const LOG_CONFIG = join(import.meta.dirname, '..', 'config', 'log4j2.properties');

export const kafka: Component = {
  name: 'kafka',
  title: 'Kafka',
  ports: ['kafka', 'controller'],
  graceMs: 20_000,
  prepare,
  probe: (ports) => withAdmin(ports, (admin) => admin.describeCluster()),
  settle: warmCoordinators,
};

async function prepare(context: StartContext): Promise<Command> {
  const home = context.layout.data('kafka');
  const data = join(home, 'data');
  const tmp = join(home, 'tmp');
  const config = join(home, 'server.properties');
  rmSync(tmp, { recursive: true, force: true });
  mkdirSync(tmp, { recursive: true });
  writeFileSync(config, formatProperties(settings(context.ports, data)));
  if (!existsSync(join(data, 'meta.properties'))) await format(context, { data, tmp, config });
  const flags = jvmFlags({ initialMb: 256, maxMb: 512 }, tmp);
  return {
    file: context.programs.java,
    args: [...flags, ...javaArgs(context), 'kafka.Kafka', config],
    cwd: home,
  };
}

function javaArgs({ jars }: StartContext): string[] {
  return [`-Dlog4j2.configurationFile=${LOG_CONFIG}`, '-cp', join(jars.kafka, '*')];
}

interface FormatPaths {
  readonly data: string;
  readonly tmp: string;
  readonly config: string;
}

/** Writes the identity of a new cluster. A folder without meta.properties holds at most a broken attempt at that. */
async function format(context: StartContext, { data, tmp, config }: FormatPaths): Promise<void> {
  rmSync(data, { recursive: true, force: true });
  const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const flags = [
    '-XX:TieredStopAtLevel=1',
    ...jvmFlags({ initialMb: 64, maxMb: 256 }, tmp),
    ...javaArgs(context),
  ];
  const { code, output } = await run(
    context.programs.java,
    [...flags, 'kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, '--config', config],
    { signal: context.signal },
  );
  if (code === 0) return;
  rmSync(data, { recursive: true, force: true });
  throw new StackError('COMPONENT_DIED', `Kafka's storage could not be formatted:\n${tail(output, 15)}`);
}

function settings(ports: Ports, data: string): Record<string, string | number | boolean> {
  return {
    'process.roles': 'broker,controller',
    'node.id': NODE_ID,
    'controller.quorum.voters': `${NODE_ID}@${HOST}:${ports.controller}`,
    listeners: `BROKER://${HOST}:${ports.kafka},CONTROLLER://${HOST}:${ports.controller}`,
    'advertised.listeners': `BROKER://${HOST}:${ports.kafka}`,
    'listener.security.protocol.map': 'BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': data,
    // A topic that somebody misspelt is an error, not a new topic.
    'auto.create.topics.enable': false,
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 8,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    // Nobody else is about to join.
    'group.initial.rebalance.delay.ms': 0,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'num.recovery.threads.per.data.dir': 2,
    // Of the heap; the default is a quarter of what there is.
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
  };
}

/** Java's properties: ISO 8859-1 with escapes, a backslash begins one. */
export function formatProperties(properties: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${escapeProperty(String(value))}\n`)
    .join('');
}

function escapeProperty(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

type Admin = ReturnType<AlertKafka['admin']>;

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function client(ports: Ports): AlertKafka {
  return createKafka(
    {
      brokers: [`${HOST}:${ports.kafka}`],
      clientId: 'local-stack',
      connectionTimeoutMs: 2_000,
      requestTimeoutMs: 10_000,
      retry: { retries: 3, initialRetryTime: 100 },
    },
    silent,
  );
}

async function withAdmin(ports: Ports, work: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = client(ports).admin();
  try {
    await admin.connect();
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/**
 * A broker makes the topics of its coordinators at the first request for one, and says "not available" meanwhile.
 * Asking here shows that topics can be made, and spares the first consumer and the first transaction the wait.
 */
async function warmCoordinators(ports: Ports): Promise<void> {
  await withAdmin(ports, (admin) => admin.fetchOffsets({ groupId: 'local-stack' }));
  const producer = client(ports).producer({ transactionalId: 'local-stack', maxInFlightRequests: 1 });
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
  return createTopics(client(ports), names, { partitions, replication: 1 });
}
