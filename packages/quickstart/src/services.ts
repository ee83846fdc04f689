// The two services as this run starts them. When one ends that should not have, the run is told.
import { join } from 'node:path';
import { Child, ChildFailed } from './child.ts';
import type { RunFolder } from './run-folder.ts';

export interface ServicesOptions {
  /** The checkout. */
  readonly root: string;
  readonly folder: RunFolder;
  /** Of both: the addresses, the limits and everything else that the user set. */
  readonly env: NodeJS.ProcessEnv;
  readonly onFailure: (error: ChildFailed) => void;
}

export class Services {
  readonly #options: ServicesOptions;
  readonly #children: Child[] = [];
  #producerDone = false;

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  /** Everything was produced and acknowledged. */
  get producerDone(): boolean {
    return this.#producerDone;
  }

  startThrottler(): Child {
    const throttler = this.#start('throttler', [], {});
    void throttler.exited.then((exit) => {
      if (!throttler.isStopping) this.#options.onFailure(new ChildFailed(throttler, exit));
    });
    return throttler;
  }

  /** Reads a file, or its standard input with `-`. Its spool belongs to this run alone. */
  startProducer(file: string): Child {
    const args = ['--source', 'jsonl', '--file', file];
    const producer = this.#start('producer', args, { SPOOL_DIR: this.#options.folder.spool });
    void producer.exited.then((exit) => {
      this.#producerDone = exit.code === 0;
      if (exit.code !== 0 && !producer.isStopping) this.#options.onFailure(new ChildFailed(producer, exit));
    });
    return producer;
  }

  /** Gracefully, and by force where that takes too long. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  /** At once. */
  kill(): void {
    for (const child of this.#children) child.kill();
  }

  #start(name: string, args: readonly string[], more: NodeJS.ProcessEnv): Child {
    const { root, folder, env } = this.#options;
    const child = new Child({
      name,
      script: join(root, 'services', name, 'src', 'main.ts'),
      args,
      // Their usual ports may be taken by services that the user runs.
      env: { ...env, HTTP_PORT: '0', LOG_FORMAT: 'json', ...more },
      logFile: folder.log(name),
    });
    this.#children.push(child);
    return child;
  }
}
