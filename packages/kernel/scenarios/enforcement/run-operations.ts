// Carries out the operations in a container, on the guarded and on the free, and says what each came to. What they need
// from before there were rules is made by prepare().
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DYNAMIC_PROGRAM,
  startContainer,
  Workload,
  type Container,
  type Operation,
  type Reply,
} from '@alert-throttle/guest/inside';
import { casesWithPort, OPERATION_FILES, type Case } from './operations.ts';

interface Prepared {
  readonly one: Case;
  /** What the operations before returned. */
  readonly made: readonly number[];
}

export interface Outcome {
  readonly name: string;
  readonly guarded: string;
  readonly neighbour: string;
}

export class OperationsContainer {
  readonly container: Container;
  readonly #prepared: readonly Prepared[];

  private constructor(container: Container, prepared: readonly Prepared[]) {
    this.container = container;
    this.#prepared = prepared;
  }

  static async start(id: string, port: number): Promise<OperationsContainer> {
    const container = await startContainer(id, { files: OPERATION_FILES });
    const root = container.root ?? '/';
    for (const [name, interpreter] of [
      ['script', `${DYNAMIC_PROGRAM} --help`],
      ['shell-script', '/bin/true'],
    ] as const) {
      writeFileSync(join(root, 'free', name), `#!${interpreter}\n`);
      chmodSync(join(root, 'free', name), 0o755);
    }
    copyFileSync(join(root, DYNAMIC_PROGRAM), join(root, 'free/dynamic'));
    mkdirSync(join(root, 'mnt'), { recursive: true });
    const prepared: Prepared[] = [];
    for (const one of casesWithPort(port)) prepared.push(await prepare(container, one));
    return new OperationsContainer(container, prepared);
  }

  async tryAll(): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const { one, made } of this.#prepared) {
      if (one.handedOver !== undefined) await this.#handOver(one.handedOver);
      const guarded = await this.container.do(...filled(one.operation, made));
      const neighbour = await this.container.do(...filled(one.neighbour, made));
      outcomes.push({ name: one.name, guarded: outcomeOf(guarded), neighbour: outcomeOf(neighbour) });
    }
    return outcomes;
  }

  /** From a process that is in no container, and sees the container's files where the guest has them. */
  async #handOver(files: readonly [string, string]): Promise<void> {
    const root = this.container.root ?? '/';
    const outside = new Workload(spawn('/w/.guest/bin/workload', { stdio: 'pipe' }));
    await outside.next();
    for (const [index, line] of ['/free/guarded.sock', '/free/neighbour.sock'].entries()) {
      const { ret } = await outside.do('fd_open', join(root, files[index] ?? ''), 'r');
      const sent = await outside.do('fd_send', ret, join(root, line));
      if (sent.ret < 0) throw new Error(`the descriptor could not be sent: ${sent.error}`);
    }
    outside.process.kill('SIGKILL');
  }
}

async function prepare(container: Container, one: Case): Promise<Prepared> {
  const made: number[] = [];
  for (const operation of one.before ?? []) {
    const { ret, error } = await container.do(...filled(operation, made));
    if (ret < 0) throw new Error(`${one.name}: ${operation.join(' ')} before it: ${error}`);
    made.push(ret);
  }
  return { one, made };
}

function filled([name, ...args]: Operation, made: readonly number[]): Operation {
  return [
    name,
    ...args.map((arg) => {
      const index = typeof arg === 'string' ? /^\$(\d+)$/.exec(arg)?.[1] : undefined;
      return index === undefined ? arg : (made[Number(index)] ?? -1);
    }),
  ];
}

/** `done`, the reason of a failure, or how a program ended. */
function outcomeOf({ ret, error, status = 0 }: Reply): string {
  if (ret < 0) return error;
  return status === 0 ? 'done' : `ended with ${status}`;
}
