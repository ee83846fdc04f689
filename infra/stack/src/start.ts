// Brings a stack up: finds what it needs, starts what does not run, waits until it serves, or takes all of it back.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import type { Component, StartContext } from './component.ts';
import { components, stopOne } from './components.ts';
import { envOf, writeEnv, type StackEnv } from './env-file.ts';
import { jarsFolder, jarsIn, readPom, resolveJars } from './jars.ts';
import { makeTopics, type TopicPlan } from './kafka.ts';
import type { Layout } from './layout.ts';
import { choosePorts, PORT_NAMES, readPorts, writePorts, type PortName, type Ports } from './ports.ts';
import { readPidFile } from './process-id.ts';
import { pause } from './pause.ts';
import { findPrograms } from './programs.ts';
import { ServerDied, startServer, untilHealthy } from './server-process.ts';

type Log = (line: string) => void;
const quiet: Log = () => undefined;

/** A broker that is started on old data loads its groups before it answers for them. */
const SETTLE_PATIENCE_MS = 60_000;
const SETTLE_POLL_MS = 200;

export const DEFAULT_TOPICS: TopicPlan = {
  names: {
    raw: 'kubearmor.alerts',
    throttled: 'kubearmor.alerts.throttled',
    deadLetter: 'kubearmor.alerts.dead-letter',
  },
  partitions: 6,
};

export interface UpOptions {
  /** Folder of the stack; made where it is missing. */
  readonly dir: string;
  /** Told what goes on, in lines for a person. */
  readonly log?: Log;
  /** Topics that exist afterwards: the usual three by default, none with false. */
  readonly topics?: boolean | TopicPlan;
  /** Whether a new stack tries 9092, 8081 and 6379 first (default), or takes any free ports. */
  readonly usualPorts?: boolean;
  /** Once aborted, everything that this call started is stopped, and the call rejects with the reason. */
  readonly signal?: AbortSignal;
}

export interface StackUp {
  readonly env: StackEnv;
  /** False where all of it was up already. */
  readonly started: boolean;
}

/** One `up`: knows what it started, so that it can take that back. */
export class Start {
  private readonly mine: Component[] = [];
  private readonly layout: Layout;
  private readonly options: UpOptions;
  private readonly log: Log;
  private ports: Partial<Ports>;

  constructor(layout: Layout, options: UpOptions) {
    this.layout = layout;
    this.options = options;
    this.log = options.log ?? quiet;
    this.ports = readPorts(layout.ports);
  }

  async up(): Promise<StackUp> {
    try {
      const missing = components.filter(({ name }) => readPidFile(this.layout.pid(name)) === undefined);
      if (missing.length > 0) await this.startAll(missing);
      const ports = this.allPorts();
      await Promise.all(
        components.filter((one) => !missing.includes(one)).map((one) => this.checkRunning(one, ports)),
      );
      await this.createTopics(ports);
      const env = envOf(ports);
      writeEnv(this.layout.env, env);
      return { env, started: missing.length > 0 };
    } catch (error) {
      await this.takeBack();
      throw error;
    }
  }

  private async startAll(missing: readonly Component[]): Promise<void> {
    const { log } = this;
    const { signal } = this.options;
    const folder = jarsFolder(readPom());
    const needMaven = !existsSync(folder);
    const programs = await findPrograms({ needMaven, log, signal });
    if (programs.maven !== undefined) await resolveJars(folder, { maven: programs.maven, log, signal });
    mkdirSync(this.layout.dir, { recursive: true });
    await this.choose(missing.flatMap((one) => one.ports));
    rmSync(this.layout.env, { force: true });
    log(`Starting ${missing.map((one) => one.title).join(', ')} ...`);
    await this.together(missing, { layout: this.layout, programs, jars: jarsIn(folder) });
  }

  /** The first failure ends the wait for the others. */
  private async together(missing: readonly Component[], rest: Omit<StartContext, 'ports'>): Promise<void> {
    const failure = new AbortController();
    const signal = AbortSignal.any([failure.signal, ...(this.options.signal ? [this.options.signal] : [])]);
    const starts = missing.map((one) =>
      this.startOne(one, { ...rest, signal }).catch((error: unknown) => failure.abort(error)),
    );
    await Promise.all(starts);
    signal.throwIfAborted();
  }

  /** Tries again with other ports where somebody else took one between the choice and the start. */
  private async startOne(component: Component, rest: Omit<StartContext, 'ports'>): Promise<void> {
    const startedAtMs = Date.now();
    for (let attempt = 1; ; attempt++) {
      const ports = this.allPorts();
      try {
        const command = await component.prepare({ ...rest, ports });
        rest.signal?.throwIfAborted();
        const id = await startServer(component.name, command, this.layout);
        this.mine.push(component);
        await untilHealthy(component, id, { ...rest, ports });
        await this.settle(component, ports, rest.signal);
        this.log(`${component.title} is healthy after ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s.`);
        return;
      } catch (error) {
        if (!(error instanceof ServerDied) || !error.portInUse || attempt === 3) throw error;
        this.log(`${component.title}: a port was taken meanwhile; trying others ...`);
        await this.choose(
          component.ports,
          component.ports.map((name) => ports[name]),
        );
      }
    }
  }

  private async settle(component: Component, ports: Ports, signal?: AbortSignal): Promise<void> {
    if (component.settle === undefined) return;
    const giveUpMs = Date.now() + SETTLE_PATIENCE_MS;
    for (;;) {
      signal?.throwIfAborted();
      try {
        await component.settle(ports);
        return;
      } catch (error) {
        if (Date.now() > giveUpMs) throw error;
        await pause(SETTLE_POLL_MS, signal);
      }
    }
  }

  private async checkRunning(component: Component, ports: Ports): Promise<void> {
    const id = readPidFile(this.layout.pid(component.name));
    if (id !== undefined)
      await untilHealthy(component, id, { layout: this.layout, ports, signal: this.options.signal });
  }

  private async createTopics(ports: Ports): Promise<void> {
    const { topics = true } = this.options;
    if (topics === false) return;
    const created = await makeTopics(ports, topics === true ? DEFAULT_TOPICS : topics);
    if (created.length > 0) this.log(`Topics made: ${created.join(', ')}.`);
  }

  private async choose(names: readonly PortName[], inVain: readonly number[] = []): Promise<void> {
    const others = PORT_NAMES.filter((name) => !names.includes(name)).map((name) => this.ports[name]);
    const taken = new Set([...inVain, ...others.filter((port) => port !== undefined)]);
    const usual = this.options.usualPorts ?? true;
    const chosen = await choosePorts(names, { remembered: this.ports, usual, taken });
    // Read after the wait: two servers may be looking for other ports at the same time.
    this.ports = { ...this.ports, ...chosen };
    writePorts(this.layout.ports, this.ports);
  }

  private allPorts(): Ports {
    const { kafka: broker, controller, registry: schemas, redis: store } = this.ports;
    if (broker === undefined || controller === undefined || schemas === undefined || store === undefined)
      throw new Error(
        `${this.layout.ports} does not say every port, although servers of this stack run: run stack:down first`,
      );
    return { kafka: broker, controller, registry: schemas, redis: store };
  }

  private async takeBack(): Promise<void> {
    if (this.mine.length > 0) this.log(`Stopping what was started ...`);
    await Promise.all(this.mine.map((component) => stopOne(component, this.layout)));
  }
}
