// A Kafka of somebody's own, of one broker or three, whose brokers can be stopped, killed and started again: for
// tests that disturb it. Not part of the stack that people start.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { jarsFolder, jarsIn, readPom, resolveJars } from './jars.ts';
import { kafka, warmCoordinators, withAdmin } from './kafka.ts';
import {
  kafkaCommand,
  newClusterId,
  nodeProperties,
  type NodeContext,
  type NodeOptions,
  type Properties,
  type SecurityProtocol,
} from './kafka-node.ts';
import { layoutOf, type Layout } from './layout.ts';
import { bindable, HOST } from './ports.ts';
import { readPidFile, signalGroup, stopGroup } from './process-id.ts';
import { findPrograms } from './programs.ts';
import { startServer, untilHealthy } from './server-process.ts';

export interface KafkaClusterOptions {
  /** One folder per broker, named so that `stackDown` could stop and delete it, too. */
  readonly dirs: readonly string[];
  /** Ports of proxies, by broker: what the brokers name to those who come through one. */
  readonly proxies?: readonly number[];
  /** Settings of all brokers beside the usual. */
  readonly properties?: Properties;
  /** Listeners beside the usual one, by name; `properties` say what they ask for. */
  readonly listeners?: Readonly<Record<string, SecurityProtocol>>;
  /** Users of SCRAM, as `kafka-storage format --add-scram` takes them. */
  readonly scramUsers?: readonly string[];
  readonly log?: (line: string) => void;
}

const MAX_HEAP_MB = 320;
/** A broker that was killed is missed sooner than after Kafka's usual 9 s. */
const SOON_MISSED = { 'broker.session.timeout.ms': 3000, 'broker.heartbeat.interval.ms': 500 };
const KILL_MS = 10_000;
const READY_ATTEMPTS = 100;
const READY_PAUSE_MS = 300;

interface BrokerOptions extends NodeOptions {
  readonly properties: Properties;
  readonly scramUsers: readonly string[];
}

export class KafkaBroker {
  /** host:port, without any proxy. */
  readonly address: string;
  /** host:port of the listener that names the proxy; undefined where there is none. */
  readonly proxiedAddress: string | undefined;
  readonly #layout: Layout;
  readonly #context: NodeContext;
  readonly #options: BrokerOptions;
  readonly #clusterId: string;

  constructor(dir: string, context: NodeContext, options: BrokerOptions, clusterId: string) {
    const { broker, proxied } = options.ports;
    this.address = `${HOST}:${broker}`;
    this.proxiedAddress = proxied && `${HOST}:${proxied.listens}`;
    this.#layout = layoutOf(dir);
    this.#context = context;
    this.#options = options;
    this.#clusterId = clusterId;
  }

  /** host:port of one of the `listeners`. */
  addressOf(listener: string): string {
    const port = this.#options.ports.secured?.[listener]?.port;
    if (port === undefined) throw new Error(`the broker at ${this.address} has no listener ${listener}`);
    return `${HOST}:${port}`;
  }

  get running(): boolean {
    return this.#id !== undefined;
  }

  /** Returns when the process runs; it may answer some time later. */
  async launch(): Promise<void> {
    const command = await kafkaCommand(this.#context, this.#layout.data('kafka'), {
      properties: { ...nodeProperties(this.#options), ...SOON_MISSED, ...this.#options.properties },
      clusterId: this.#clusterId,
      maxHeapMb: MAX_HEAP_MB,
      scramUsers: this.#options.scramUsers,
    });
    await startServer('kafka', command, this.#layout);
  }

  /** Resolves once this very process answers. */
  async answers(): Promise<void> {
    const { broker, controller } = this.#options.ports;
    const id = this.#id;
    if (id === undefined)
      throw new Error(`the broker at ${this.address} does not run: ${this.#layout.log('kafka')}`);
    // Ports of servers that are not meant here are not looked at.
    const ports = { kafka: broker, controller, registry: 0, redis: 0 };
    await untilHealthy(kafka, id, { layout: this.#layout, ports });
  }

  async start(): Promise<void> {
    await this.launch();
    await this.answers();
  }

  /** TERM: it hands over what it leads, closes its log, and ends. */
  async stop(): Promise<void> {
    if (this.#id !== undefined) await stopGroup(this.#id, kafka.graceMs);
  }

  async kill(): Promise<void> {
    const id = this.#id;
    if (id === undefined) return;
    signalGroup(id, 'SIGKILL');
    await stopGroup(id, KILL_MS);
  }

  /** For handlers of a process's exit, which cannot wait. */
  killNow(): void {
    if (this.#id !== undefined) signalGroup(this.#id, 'SIGKILL');
  }

  get #id(): ReturnType<typeof readPidFile> {
    return readPidFile(this.#layout.pid('kafka'));
  }
}

export class KafkaCluster {
  readonly brokers: readonly KafkaBroker[];

  private constructor(brokers: readonly KafkaBroker[]) {
    this.brokers = brokers;
  }

  /** Nothing runs yet; `start` is next. */
  static async prepare({
    dirs,
    proxies,
    properties = {},
    listeners = {},
    scramUsers = [],
    log = () => undefined,
  }: KafkaClusterOptions): Promise<KafkaCluster> {
    const folder = jarsFolder(readPom());
    const programs = await findPrograms({ needMaven: !existsSync(folder), log });
    if (programs.maven !== undefined) await resolveJars(folder, { maven: programs.maven, log });
    const clusterId = newClusterId();
    const ports = await quietPorts(dirs.length * 3);
    const names = Object.entries(listeners);
    const more = await quietPorts(dirs.length * names.length, ports);
    const nodes = dirs.map((dir, index) => ({
      dir,
      nodeId: index + 1,
      controller: ports[index * 3 + 1] ?? 0,
    }));
    const voters = nodes.map(({ nodeId, controller: port }) => ({ nodeId, port }));
    const brokers = nodes.map(({ dir, nodeId, controller }, index) => {
      const advertised = proxies?.[index];
      const proxied =
        advertised === undefined ? undefined : { listens: ports[index * 3 + 2] ?? 0, advertised };
      const secured = names.map(
        ([name, protocol], of) => [name, { port: more[index * names.length + of] ?? 0, protocol }] as const,
      );
      const options: NodeOptions = {
        nodeId,
        voters,
        ports: { broker: ports[index * 3] ?? 0, controller, proxied, secured: Object.fromEntries(secured) },
        replication: dirs.length >= 3 ? 3 : 1,
      };
      mkdirSync(dir, { recursive: true });
      const own = { ...options, properties, scramUsers };
      return new KafkaBroker(dir, { programs, jars: jarsIn(folder) }, own, clusterId);
    });
    return new KafkaCluster(brokers);
  }

  /** host:port of each broker, without any proxy. */
  get addresses(): string[] {
    return this.brokers.map(({ address }) => address);
  }

  /** Resolves once all brokers are members, and topics, groups and transactions can be used. */
  async start(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.launch()));
    await Promise.all(this.brokers.map((broker) => broker.answers()));
    await this.complete();
    await tried(() => warmCoordinators(this.addresses));
  }

  /** Resolves once every broker is a member of the cluster. */
  async complete(): Promise<void> {
    await tried(async () => {
      const { brokers } = await withAdmin(this.addresses, (admin) => admin.describeCluster());
      if (brokers.length < this.brokers.length) throw new Error(`${brokers.length} brokers are members`);
    });
  }

  /** Ends it and deletes its data. */
  async close(dirs: readonly string[]): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.kill()));
    for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  }
}

async function tried(step: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await step();
      return;
    } catch (error) {
      if (attempt === READY_ATTEMPTS) throw error;
      await sleep(READY_PAUSE_MS);
    }
  }
}

/** Below the range from which Linux takes ports for clients: nobody takes one while its broker is down. */
const LOWEST = 15_000;
const HIGHEST = 32_000;

async function quietPorts(count: number, taken: readonly number[] = []): Promise<number[]> {
  const chosen = new Set<number>();
  while (chosen.size < count) {
    const port = await bindable(LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST)));
    if (port !== undefined && !taken.includes(port)) chosen.add(port);
  }
  return [...chosen];
}
