// The life of the local stack: up and down.
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { components, stopOne } from './components.ts';
import { readEnv, type StackEnv } from './env-file.ts';
import { layoutOf, type Layout } from './layout.ts';
import { withLock } from './lock.ts';
import { readPidFile, requireLinux, signalGroup } from './process-id.ts';
import { Start, type StackUp, type UpOptions } from './start.ts';

const quiet = (): undefined => undefined;

/** Returns when all of it is healthy and the topics exist. What runs already is left running. Throws StackError. */
export async function stackUp(options: UpOptions): Promise<StackUp> {
  requireLinux();
  const { dir, log = quiet, signal } = options;
  return withLock(dir, { log, signal }, () => new Start(layoutOf(dir), options).up());
}

export interface DownOptions {
  readonly dir: string;
  /** Deletes the data, the logs and the choice of ports as well. */
  readonly wipe?: boolean;
  readonly log?: (line: string) => void;
}

/** Stops what runs; a stack that is not up is no error. */
export async function stackDown({ dir, wipe = false, log = quiet }: DownOptions): Promise<void> {
  requireLinux();
  if (!existsSync(dir)) return;
  await withLock(dir, { log }, async () => {
    const layout = layoutOf(dir);
    rmSync(layout.env, { force: true });
    const stopped = await Promise.all(components.map((component) => stopOne(component, layout)));
    const titles = components.filter((_, index) => stopped[index]).map((component) => component.title);
    log(titles.length > 0 ? `Stopped ${titles.join(', ')}.` : 'Nothing was running.');
    if (wipe) remove(layout);
    if (wipe) log(`Deleted the data in ${dir}.`);
  });
}

/** Asks every server to end and does not wait: for handlers of a process's own exit, which cannot wait. */
export function killStack({ dir }: { readonly dir: string }): void {
  const layout = layoutOf(dir);
  for (const { name } of components) {
    const id = readPidFile(layout.pid(name));
    if (id !== undefined) signalGroup(id, 'SIGTERM');
  }
}

/** Only what a stack makes, in case the folder holds something else as well. */
function remove(layout: Layout): void {
  const parts = [
    layout.env,
    layout.ports,
    layout.run,
    layout.logs,
    ...components.map(({ name }) => layout.data(name)),
  ];
  for (const path of parts) rmSync(path, { recursive: true, force: true });
  try {
    rmdirSync(layout.dir);
  } catch {
    // Something else is in it.
  }
}

/** The addresses of a stack that is up; undefined where it is not. */
export function stackEnv({ dir }: { readonly dir: string }): StackEnv | undefined {
  return readEnv(layoutOf(dir).env);
}
