// A Kafka of one test file's own, to be stopped, killed and cut off: one broker or three, gone with the file.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  identify,
  KafkaCluster,
  type KafkaBroker,
  type Properties,
  type SecurityProtocol,
  writePidFile,
} from '@alert-throttle/stack';
import type { AlertKafka } from '@alert-throttle/kafka';
import { RUNS } from './process-stack.ts';
import { kafkaAt } from './topics.ts';

export interface OwnKafkaOptions {
  readonly brokers?: 1 | 3;
  /** The port of a proxy in front of each broker, which those who come through it are told to use. */
  readonly proxies?: readonly number[];
  /** Settings of the brokers beside the usual. */
  readonly properties?: Properties;
  /** Listeners beside the usual one, by name; `properties` say what they ask for. */
  readonly listeners?: Readonly<Record<string, SecurityProtocol>>;
  /** Users of SCRAM, as `kafka-storage format --add-scram` takes them. */
  readonly scramUsers?: readonly string[];
}

/** Retries until somebody heals what was broken, and notices soon that it was. */
const PATIENT = { initialRetryTime: 100, multiplier: 1.5, maxRetryTime: 1000, retries: 200 };

export class OwnKafka {
  readonly #cluster: KafkaCluster;
  readonly #dirs: readonly string[];

  private constructor(cluster: KafkaCluster, dirs: readonly string[]) {
    this.#cluster = cluster;
    this.#dirs = dirs;
    process.once('exit', this.#killNow);
  }

  /** Started, and ready for topics, groups and transactions. */
  static async start({ brokers = 1, ...options }: OwnKafkaOptions = {}): Promise<OwnKafka> {
    const name = `${process.pid}-kafka-${randomBytes(3).toString('hex')}`;
    const dirs = Array.from({ length: brokers }, (_, index) => join(RUNS, `${name}-${index + 1}`));
    // Beside each folder the file that lets a later run sweep it up, should this process be killed.
    const self = identify(process.pid);
    for (const dir of dirs) if (self) writePidFile(`${dir}.owner`, self);
    const cluster = await KafkaCluster.prepare({ dirs, ...options });
    const own = new OwnKafka(cluster, dirs);
    try {
      await cluster.start();
      return own;
    } catch (error) {
      await own.close();
      throw error;
    }
  }

  get brokers(): readonly KafkaBroker[] {
    return this.#cluster.brokers;
  }

  /** The first one, which is all of it where there is one. */
  get broker(): KafkaBroker {
    const [first] = this.brokers;
    if (first === undefined) throw new Error('this Kafka has no broker');
    return first;
  }

  /** Addresses of the brokers themselves. */
  get addresses(): readonly string[] {
    return this.#cluster.addresses;
  }

  get replication(): number {
    return this.brokers.length;
  }

  /** A client that reaches the brokers themselves, and waits for those that are down. */
  client(): AlertKafka {
    return kafkaAt(this.addresses, PATIENT);
  }

  /** Resolves once all brokers are members again. */
  complete(): Promise<void> {
    return this.#cluster.complete();
  }

  async close(): Promise<void> {
    process.off('exit', this.#killNow);
    await this.#cluster.close(this.#dirs);
    for (const dir of this.#dirs) rmSync(`${dir}.owner`, { force: true });
  }

  readonly #killNow = (): void => {
    for (const broker of this.brokers) broker.killNow();
  };
}
