// Where everything of one stack lies: one folder that can be copied, moved away or deleted as a whole.
import { join, resolve } from 'node:path';

export const COMPONENTS = ['kafka', 'registry', 'redis'] as const;
export type ComponentName = (typeof COMPONENTS)[number];

/**
 * ```
 * .stack/env           addresses, KEY=value; there while the stack is up
 * .stack/ports.json    which ports it had, so that it gets them again
 * .stack/run/*.pid     one per process
 * .stack/logs/*.log    one per process; *.previous.log is that of the run before
 * .stack/kafka, registry, redis    configuration and data
 * ```
 */
export interface Layout {
  readonly dir: string;
  readonly env: string;
  readonly ports: string;
  readonly run: string;
  readonly logs: string;
  pid(name: ComponentName): string;
  log(name: ComponentName): string;
  data(name: ComponentName): string;
}

export function layoutOf(folder: string): Layout {
  const dir = resolve(folder);
  const run = join(dir, 'run');
  const logs = join(dir, 'logs');
  return {
    dir,
    env: join(dir, 'env'),
    ports: join(dir, 'ports.json'),
    run,
    logs,
    pid: (name) => join(run, `${name}.pid`),
    log: (name) => join(logs, `${name}.log`),
    data: (name) => join(dir, name),
  };
}
