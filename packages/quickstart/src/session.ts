// One run of `npm start`, from the stack to the summary.
import { randomBytes } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AlertCodec } from '@alert-throttle/alert';
import { createKafka, createTopics, kafkaOptions, type TopicNames } from '@alert-throttle/kafka';
import { createLogger, type Logger } from '@alert-throttle/observability';
import { Child, ChildFailed } from './child.ts';
import { behind, reached, stageOf, type Positions, type Stage } from './completion.ts';
import { feedSample } from './feed.ts';
import { KafkaFacts } from './kafka-facts.ts';
import { makeRunFolder, type RunFolder } from './run-folder.ts';
import { planSample, SAMPLE_MS } from './sample.ts';
import type { Screen } from './screen.ts';
import type { QuickstartConfig } from './settings.ts';
import { StackUse } from './stack-use.ts';
import { renderNextSteps, renderSummary } from './summary.ts';
import { TopicReader } from './topic-reader.ts';
import { addsUp, totalsOf } from './totals.ts';
import { View } from './view.ts';

/** Where the alerts come from. */
export type Source =
  | { readonly kind: 'sample' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stream'; readonly stream: NodeJS.ReadableStream };

export interface SessionOptions {
  readonly source: Source;
  /** Go on until stopped, instead of ending when everything has come through. */
  readonly follow: boolean;
  readonly config: QuickstartConfig;
  /** The addresses in the config are to be used; no stack is started. */
  readonly external: boolean;
  /** Path of the settings file, for the services. */
  readonly configFile: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** The checkout: where the services are. */
  readonly root: string;
  /** Folder of the local stack. */
  readonly stackDir: string;
  readonly screen: Screen;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Outcome {
  /** Everything came through, and every interval was reported. */
  readonly complete: boolean;
  readonly addsUp: boolean;
}

const POLL_MS = 300;
const SAY_EVERY_MS = 5_000;
/** Beyond the length of an interval: how long reports of late alerts are waited for. */
const PATIENCE_MS = 5_000;

interface Connected {
  readonly facts: KafkaFacts;
  readonly reader: TopicReader;
  readonly groupId: string;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #topics: TopicNames;
  readonly #folder: RunFolder;
  readonly #stack: StackUse;
  readonly #view: View;
  readonly #children: Child[] = [];
  readonly #failure = Promise.withResolvers<never>();
  readonly #log: WriteStream;
  readonly #logger: Logger;
  #connected: Connected | undefined;
  #complete = false;

  constructor(options: SessionOptions) {
    const { config, signal, screen, stackDir } = options;
    this.#options = options;
    this.#topics = { raw: config.rawTopic, throttled: config.throttledTopic, deadLetter: config.deadLetterTopic };
    this.#folder = makeRunFolder(stackDir, new Date());
    this.#view = new View(screen);
    this.#log = createWriteStream(this.#folder.log('view'), { flags: 'a' });
    this.#logger = createLogger({ service: 'view', level: config.logLevel, format: 'json', destination: this.#log });
    this.#stack = new StackUse({
      dir: stackDir,
      topics: { names: this.#topics, partitions: config.topicPartitions },
      log: (line) => screen.print(line),
      signal,
    });
    // Nobody may be waiting when it happens; whoever waits next is told.
    this.#failure.promise.catch(() => undefined);
    signal.addEventListener('abort', () => this.#failure.reject(signal.reason), { once: true });
  }

  /** Runs to the end, or until the signal; whatever happens, nothing that was started is left. */
  async run(): Promise<Outcome> {
    let started = false;
    try {
      await this.#prepare();
      started = true;
      await this.#watch();
      this.#complete = true;
    } catch (error) {
      if (!this.#options.signal.aborted) throw error;
      // With --follow this is how a run ends; everything may have come through all the same.
      this.#complete = this.#view.stage === 'done';
    } finally {
      this.#view.stop();
      if (started) this.#printSummary();
      await this.#close(started);
    }
    return { complete: this.#complete, addsUp: addsUp(this.#view.state) };
  }

  /** Ends what this run started without waiting for anything. */
  async kill(): Promise<void> {
    this.killChildren();
    if (!this.#options.external) await this.#stack.kill();
  }

  killChildren(): void {
    for (const child of this.#children) child.kill();
  }

  /** Everything up, and the first alerts on their way. */
  async #prepare(): Promise<void> {
    const { config, env, external, configFile, screen } = this.#options;
    const addresses = external ? {} : await this.#stack.up();
    const file = configFile === undefined ? {} : { CONFIG_FILE: configFile };
    const childEnv = { ...env, ...file, ...addresses, HTTP_PORT: '0', LOG_FORMAT: 'json' };
    const brokers = 'KAFKA_BROKERS' in addresses ? { brokers: addresses.KAFKA_BROKERS.split(',') } : {};
    const kafkaSettings = { ...kafkaOptions(config, 'alert-throttle-view'), ...brokers };
    const kafka = createKafka(kafkaSettings, this.#logger);
    if (external) {
      const size = { partitions: config.topicPartitions, replication: config.topicReplication };
      const made = await this.#guard(createTopics(kafka, this.#topics, size));
      if (made.length > 0) screen.print(`Topics made: ${made.join(', ')}.`);
    }

    const facts = new KafkaFacts(kafka, this.#topics, config.consumerGroup);
    await this.#guard(facts.connect());
    const from = await this.#guard(facts.ends());
    const throttler = this.#start('throttler', [], childEnv);
    // While the throttler starts, so that its first alerts are sent the moment it is ready.
    const producerOfStream = this.#options.source.kind === 'file' ? undefined : this.#startProducer('-', childEnv);

    const registryUrl = 'SCHEMA_REGISTRY_URL' in addresses ? addresses.SCHEMA_REGISTRY_URL : config.schemaRegistryUrl;
    const groupId = `alert-throttle-view-${randomBytes(6).toString('hex')}`;
    const reader = new TopicReader({
      kafka: createKafka(kafkaSettings, this.#logger),
      topics: this.#topics,
      codec: new AlertCodec(registryOf(config, registryUrl)),
      groupId,
      from,
      onRecord: (record) => this.#view.apply(record),
      onFailure: (error) => this.#failure.reject(error),
    });
    this.#connected = { facts, reader, groupId };
    screen.print(`Starting ${throttler.name} and producer ...`);
    await this.#guard(Promise.all([reader.start(), this.#untilCaughtUp(facts, from.raw)]));

    // What the throttler made of earlier runs lies before these offsets.
    reader.leaveOutBelow(await this.#guard(facts.ends()));
    this.#view.start();
    this.#feed(producerOfStream, childEnv);
  }

  #startProducer(file: string, env: NodeJS.ProcessEnv): Child {
    return this.#start('producer', ['--source', 'jsonl', '--file', file], { ...env, SPOOL_DIR: this.#folder.spool });
  }

  #start(name: string, args: readonly string[], env: NodeJS.ProcessEnv): Child {
    const script = join(this.#options.root, 'services', name, 'src', 'main.ts');
    const child = new Child({ name, script, args, env, logFile: this.#folder.log(name) });
    this.#children.push(child);
    void child.exited.then((exit) => {
      // The producer ends when it is through; the throttler only when it is told to.
      if (child.hasFailed || (name === 'throttler' && !child.isStopping))
        this.#failure.reject(new ChildFailed(child, exit));
      else if (name === 'producer') this.#producerDone = true;
    });
    return child;
  }
}
