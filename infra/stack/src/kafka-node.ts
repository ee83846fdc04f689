// One process of Apache Kafka, broker and controller in one (KRaft): its settings, its storage, its command line.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jvmFlags, type Command, type StartContext } from './component.ts';
import { StackError } from './errors.ts';
import { HOST } from './ports.ts';
import { run, tail } from './run.ts';

const LOG_CONFIG = join(import.meta.dirname, '..', 'config', 'log4j2.properties');

export type Properties = Readonly<Record<string, string | number | boolean>>;

export interface SecuredListener {
  readonly port: number;
  readonly protocol: SecurityProtocol;
}

export type SecurityProtocol = 'SASL_PLAINTEXT' | 'SASL_SSL' | 'SSL';

export interface NodeOptions {
  readonly nodeId: number;
  /** The controllers of the cluster, this node's own among them. */
  readonly voters: readonly { readonly nodeId: number; readonly port: number }[];
  readonly ports: {
    readonly broker: number;
    readonly controller: number;
    /** A second listener, and the port that it names to its clients: that of a proxy in front of it. */
    readonly proxied?: { readonly listens: number; readonly advertised: number } | undefined;
    /** By name: listeners that ask their clients for more than an address. */
    readonly secured?: Readonly<Record<string, SecuredListener>>;
  };
  /** Of all topics, also Kafka's own. With three, two must have a record before it is acknowledged. */
  readonly replication: 1 | 3;
}

export function nodeProperties({ nodeId, voters, ports, replication }: NodeOptions): Properties {
  const { broker, controller, proxied, secured = {} } = ports;
  const minIsr = replication === 1 ? 1 : 2;
  const second = proxied === undefined ? '' : `,PROXIED://${HOST}:`;
  const more = Object.entries(secured);
  const moreListeners = more.map(([name, { port }]) => `,${name}://${HOST}:${port}`).join('');
  const moreProtocols = more.map(([name, { protocol }]) => `,${name}:${protocol}`).join('');
  return {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    'controller.quorum.voters': voters.map((one) => `${one.nodeId}@${HOST}:${one.port}`).join(),
    listeners: `BROKER://${HOST}:${broker}${second}${proxied?.listens ?? ''}${moreListeners},CONTROLLER://${HOST}:${controller}`,
    'advertised.listeners': `BROKER://${HOST}:${broker}${second}${proxied?.advertised ?? ''}${moreListeners}`,
    'listener.security.protocol.map': `BROKER:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT${moreProtocols}`,
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    // A topic that somebody misspelt is an error, not a new topic.
    'auto.create.topics.enable': false,
    'default.replication.factor': replication,
    'min.insync.replicas': minIsr,
    'offsets.topic.replication.factor': replication,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': minIsr,
    'transaction.state.log.num.partitions': 8,
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': minIsr,
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

export type NodeContext = Pick<StartContext, 'programs' | 'jars' | 'signal'>;

export interface NodeRun {
  /** Without `log.dirs`, which is in its folder. */
  readonly properties: Properties;
  /** The nodes of one cluster share it; a new one where there is none. */
  readonly clusterId?: string;
  readonly maxHeapMb?: number;
  /** Users of SCRAM that a new node knows from its start, as StorageTool takes them. */
  readonly scramUsers?: readonly string[];
}

/** Writes the configuration, and the identity of a new node, into its folder; says what to run. */
export async function kafkaCommand(
  context: NodeContext,
  home: string,
  { properties, clusterId = newClusterId(), maxHeapMb = 512, scramUsers = [] }: NodeRun,
): Promise<Command> {
  const data = join(home, 'data');
  const tmp = join(home, 'tmp');
  const config = join(home, 'server.properties');
  rmSync(tmp, { recursive: true, force: true });
  mkdirSync(tmp, { recursive: true });
  writeFileSync(config, formatProperties({ ...properties, 'log.dirs': data }));
  if (!existsSync(join(data, 'meta.properties'))) {
    await format(context, { data, tmp, config, clusterId, scramUsers });
  }
  const flags = jvmFlags({ initialMb: 256, maxMb: maxHeapMb }, tmp);
  return {
    file: context.programs.java,
    args: [...flags, ...javaArgs(context), 'kafka.Kafka', config],
    cwd: home,
  };
}

export function newClusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A');
}

function javaArgs({ jars }: NodeContext): string[] {
  return [`-Dlog4j2.configurationFile=${LOG_CONFIG}`, '-cp', join(jars.kafka, '*')];
}

interface Storage {
  readonly data: string;
  readonly tmp: string;
  readonly config: string;
  readonly clusterId: string;
  readonly scramUsers: readonly string[];
}

/** A folder without meta.properties holds at most a broken attempt at this. */
async function format(context: NodeContext, storage: Storage): Promise<void> {
  const { data, tmp, config, clusterId, scramUsers } = storage;
  rmSync(data, { recursive: true, force: true });
  const flags = [
    '-XX:TieredStopAtLevel=1',
    ...jvmFlags({ initialMb: 64, maxMb: 256 }, tmp),
    ...javaArgs(context),
  ];
  const tool = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, '--config', config];
  const users = scramUsers.flatMap((user) => ['--add-scram', user]);
  const { code, output } = await run(context.programs.java, [...flags, ...tool, ...users], {
    signal: context.signal,
  });
  if (code === 0) return;
  rmSync(data, { recursive: true, force: true });
  throw new StackError('COMPONENT_DIED', `Kafka's storage could not be formatted:\n${tail(output, 15)}`);
}

/** Java's properties: ISO 8859-1 with escapes, a backslash begins one. */
export function formatProperties(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${escapeProperty(String(value))}\n`)
    .join('');
}

function escapeProperty(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
