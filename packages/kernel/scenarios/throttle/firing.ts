// Several processes that fire at a container without pause, driven by a process of their own: what the scenario does
// meanwhile, opening the kernel part for example, holds up its own thread.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { cgroupAt, containerOf, Workload, type Container } from '@alert-throttle/guest/inside';

export interface Fired {
  readonly refused: number;
  readonly good: number;
  /** Other errors than EACCES. */
  readonly others: number;
}

export interface Firing {
  stop(): Promise<Fired>;
}

export interface FireOptions {
  readonly path: string;
  readonly processes: number;
  /** Between ten attempts of a process. */
  readonly pauseMs: number;
}

interface Order extends FireOptions {
  readonly name: string;
  readonly cgroup: string;
  readonly pid: number;
}

/** From the return on, each process has fired. */
export async function fire({ name, cgroup, pid }: Container, options: FireOptions): Promise<Firing> {
  const order: Order = { ...options, name, cgroup: cgroup.path, pid };
  const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'readable');
  return {
    async stop() {
      child.stdin.end();
      const lines = (await text(child.stdout)).trim().split('\n');
      return JSON.parse(lines.at(-1) ?? '') as Fired;
    },
  };
}

async function main({ name, cgroup, pid, path, processes, pauseMs }: Order): Promise<void> {
  const idle = new Workload(spawn('true'));
  const container = containerOf({ name, cgroup: cgroupAt(cgroup), pid, root: '/', workload: idle });
  const stopped = { yet: false };
  process.stdin.on('end', () => (stopped.yet = true)).resume();
  const sums = { refused: 0, good: 0, others: 0 };
  const workloads = await Promise.all(Array.from({ length: processes }, () => container.enter()));
  const shoot = async (workload: Workload): Promise<void> => {
    const { good = 0, failed = {} } = await workload.do('hammer', 10, 'open', path, 'r');
    sums.good += good;
    for (const [reason, times] of Object.entries(failed))
      sums[reason === 'EACCES' ? 'refused' : 'others'] += times;
  };
  await Promise.all(workloads.map(shoot));
  process.stdout.write('firing\n');
  await Promise.all(
    workloads.map(async (workload) => {
      while (!stopped.yet) {
        await shoot(workload);
        if (pauseMs > 0) await sleep(pauseMs);
      }
      workload.process.kill();
    }),
  );
  process.stdout.write(`${JSON.stringify(sums)}\n`);
}

const [, self, order] = process.argv;
if (self === import.meta.filename && order !== undefined) await main(JSON.parse(order) as Order);
