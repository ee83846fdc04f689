// One run of `npm start`, from the stack to the summary.
import { randomBytes } from 'node:crypto';
import { createWriteStream, rmSync, type WriteStream } from 'node:fs';
import { relative } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AlertCodec } from '@alert-throttle/alert';
import { createKafka, topicNames, type TopicNames } from '@alert-throttle/kafka';
import { createLogger, type Logger } from '@alert-throttle/observability';
import { behind, reached, type Positions } from './completion.ts';
import { feedSample } from './feed.ts';
import { KafkaFacts } from './kafka-facts.ts';
import { makeRunFolder, type RunFolder } from './run-folder.ts';
import { RunWatch } from './run-watch.ts';
import { planSample, SAMPLE_MS } from './sample.ts';
import type { Screen } from './screen.ts';
import { findServers } from './servers.ts';
import { Services } from './services.ts';
import type { QuickstartConfig } from './settings.ts';
import { StackUse } from './stack-use.ts';
import { renderNextSteps, renderSummary } from './summary.ts';
import { TopicReader } from './topic-reader.ts';
import { addsUp, topRows } from './totals.ts';
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
  /** For the services: what the user set. */
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

/** What is open while the view runs. */
interface Reading {
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
  /** Aborted by Ctrl-C, or by what makes it impossible to go on; the reason says what. */
  readonly #ending = new AbortController();
  readonly #log: WriteStream;
  readonly #logger: Logger;
  #services: Services | undefined;
  #reading: Reading | undefined;

  constructor(options: SessionOptions) {
    const { config, signal, screen, stackDir } = options;
    this.#options = options;
    this.#topics = topicNames(config);
    this.#folder = makeRunFolder(stackDir, new Date());
    this.#view = new View(screen);
    this.#log = createWriteStream(this.#folder.log('view'), { flags: 'a' });
    this.#logger = createLogger({
      service: 'view',
      level: config.logLevel,
      format: 'json',
      destination: this.#log,
    });
    const topics = { names: this.#topics, partitions: config.topicPartitions };
    this.#stack = new StackUse({ dir: stackDir, topics, log: (line) => screen.print(line), signal });
    const interrupted = (): void => this.#ending.abort(signal.reason);
    signal.addEventListener('abort', interrupted, { once: true });
    if (signal.aborted) interrupted();
  }

  /** Runs to the end, or until the signal. Whatever happens, nothing that was started is left running. */
  async run(): Promise<Outcome> {
    const { signal } = this.#options;
    let started = false;
    try {
      const reading = await this.#open();
      started = true;
      await this.#follow(reading);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#view.stop();
      if (started) this.#printSummary();
      await this.#close(started);
    }
    return { complete: this.#isComplete, addsUp: addsUp(this.#view.state) };
  }

  /** Ends what this run started, without waiting for anything to finish. */
  async kill(): Promise<void> {
    this.killServices();
    if (!this.#options.external) await this.#stack.kill();
  }

  killServices(): void {
    this.#services?.kill();
  }

  get #isComplete(): boolean {
    return this.#view.stage === 'done';
  }

  /** Everything up, and the first alerts on their way. */
  async #open(): Promise<Reading> {
    const { config, external, root, screen, source } = this.#options;
    const finding = findServers({
      ...this.#options,
      stack: this.#stack,
      topics: this.#topics,
      logger: this.#logger,
    });
    // The stack takes itself back after Ctrl-C, and that is waited for.
    const servers = await (external ? this.#guard(finding) : finding);
    const kafka = createKafka(servers.kafka, this.#logger);
    const facts = new KafkaFacts(kafka, this.#topics, config.consumerGroup);
    await this.#guard(facts.connect());
    const from = await this.#guard(facts.ends());

    const onFailure = (error: Error): void => this.#ending.abort(error);
    const services = new Services({ root, folder: this.#folder, env: servers.env, onFailure });
    this.#services = services;
    screen.print('Starting the throttler and the producer ...');
    services.startThrottler();
    // Its standard input is held back until the throttler is ready; a file it would read at once.
    const waiting = source.kind === 'file' ? undefined : services.startProducer('-');

    const groupId = `alert-throttle-view-${randomBytes(6).toString('hex')}`;
    const reader = new TopicReader({
      kafka: createKafka(servers.kafka, this.#logger),
      topics: this.#topics,
      codec: new AlertCodec(servers.registry),
      groupId,
      from,
      onRecord: (record) => this.#view.apply(record),
      onFailure,
    });
    this.#reading = { facts, reader, groupId };
    await this.#guard(Promise.all([reader.start(), this.#untilReady(facts, from.raw)]));
    // What the throttler made of the alerts of earlier runs lies before these offsets.
    reader.leaveOutBelow(await this.#guard(facts.ends()));
    this.#view.start();
    if (source.kind === 'file') {
      screen.print(`Sending the alerts of ${source.path}.`);
      services.startProducer(source.path);
    } else if (waiting) {
      this.#feed(source, waiting.stdin);
    }
    return this.#reading;
  }

  /** The throttler has claimed every partition, and is through with what earlier runs left behind. */
  async #untilReady(facts: KafkaFacts, rawEnd: Positions): Promise<void> {
    let sayAtMs = Date.now() + SAY_EVERY_MS;
    for (;;) {
      const committed = await facts.committed();
      if (reached(committed, rawEnd) && (await facts.throttlerHasJoined())) return;
      if (Date.now() >= sayAtMs) {
        const left = behind(committed, rawEnd);
        const backlog = left > 0 ? `, ${left} records of earlier runs to go` : '';
        this.#options.screen.print(`Waiting for the throttler${backlog} ...`);
        sayAtMs = Date.now() + SAY_EVERY_MS;
      }
      await sleep(POLL_MS, undefined, { signal: this.#ending.signal });
    }
  }

  #feed(source: Exclude<Source, { kind: 'file' }>, stdin: Writable): void {
    const { config, screen } = this.#options;
    if (source.kind === 'stream') {
      screen.print('Sending the alerts of standard input.');
      source.stream.pipe(stdin);
      return;
    }
    const lines = planSample(config, () => randomBytes(32).toString('hex'));
    screen.print(`Sending a sample of ${lines.length} lines over ${SAMPLE_MS / 1000} s.`);
    // Where it fails, the producer has ended, and that is told by its exit.
    feedSample(lines, stdin, this.#ending.signal).catch(() => undefined);
  }

  async #follow({ facts, reader }: Reading): Promise<void> {
    const { config, follow } = this.#options;
    const watch = new RunWatch({
      facts,
      reader,
      throttleSec: config.throttleSec,
      rawTopic: this.#topics.raw,
      throttledTopic: this.#topics.throttled,
    });
    while (follow || !this.#isComplete) {
      await this.#guard(sleep(POLL_MS));
      const producerDone = this.#services?.producerDone ?? false;
      this.#view.stage = await this.#guard(watch.stage(this.#view.state, producerDone));
    }
  }

  /** Passes a result on, unless something failed or the user interrupted meanwhile. */
  async #guard<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#ending;
    const { promise, reject } = Promise.withResolvers<never>();
    const ended = (): void => reject(signal.reason);
    signal.addEventListener('abort', ended, { once: true });
    try {
      if (signal.aborted) ended();
      return await Promise.race([promise, work]);
    } finally {
      signal.removeEventListener('abort', ended);
    }
  }

  #printSummary(): void {
    const { config, screen } = this.#options;
    const { alertThrottling } = config;
    screen.print(`\n${renderSummary(this.#view.state, { complete: this.#isComplete, alertThrottling })}\n`);
  }

  /** In the order in which they depend on each other. */
  async #close(started: boolean): Promise<void> {
    const { external, screen } = this.#options;
    await Promise.all([this.#services?.stop(), this.#stopReading()]);
    const { goesOn } = external ? { goesOn: true } : await this.#stack.release();
    // All of it is in Kafka; otherwise it is left to whoever wants to find out why not.
    if (this.#services?.producerDone === true) rmSync(this.#folder.spool, { recursive: true, force: true });
    if (started) screen.print(this.#nextSteps(goesOn));
    this.#log.end();
  }

  async #stopReading(): Promise<void> {
    if (!this.#reading) return;
    const { facts, reader, groupId } = this.#reading;
    try {
      await reader.stop();
      await facts.forgetGroup(groupId);
      await facts.disconnect();
    } catch (error) {
      // The brokers forget an empty group by themselves.
      this.#logger.warn({ err: error }, 'closing the view');
    }
  }

  #nextSteps(stackGoesOn: boolean): string {
    const { config, external, stackDir } = this.#options;
    return renderNextSteps({
      stackGoesOn,
      external,
      group: config.consumerGroup,
      rawTopic: config.rawTopic,
      partition: topRows(this.#view.state, 1)[0]?.partition ?? 0,
      envFile: `${shown(stackDir)}/env`,
      logs: shown(this.#folder.path),
    });
  }
}

/** As a path that can be pasted. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
