// Starts a server that outlives the command, and finds out whether it serves.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command, Component } from './component.ts';
import { messageOf, StackError } from './errors.ts';
import type { Layout } from './layout.ts';
import { pause } from './pause.ts';
import type { Ports } from './ports.ts';
import { identify, isAlive, listensOn, writePidFile, type ProcessId } from './process-id.ts';
import { tail } from './run.ts';

/** Nothing of the caller's environment that would configure a server behind its back. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ'];

/** In a session of its own: neither Ctrl-C nor the end of the terminal reaches it. */
export async function startServer(
  name: Component['name'],
  command: Command,
  layout: Layout,
): Promise<ProcessId> {
  const output = openLog(layout.log(name));
  try {
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      detached: true,
      stdio: ['ignore', output, output],
      env: Object.fromEntries(PASSED_ON.map((key) => [key, process.env[key]])),
      ...(command.argv0 === undefined ? {} : { argv0: command.argv0 }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const id = child.pid === undefined ? undefined : identify(child.pid);
    if (id === undefined)
      throw new StackError('COMPONENT_DIED', `${command.file} ended at once; its log: ${layout.log(name)}`);
    writePidFile(layout.pid(name), id);
    return id;
  } finally {
    closeSync(output);
  }
}

/** A log per run, and that of the run before. */
function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) renameSync(path, path.replace(/\.log$/, '.previous.log'));
  return openSync(path, 'a');
}

const POLL_MS = 150;
const PATIENCE_MS = 120_000;
const LOG_LINES = 20;

export interface HealthOptions {
  readonly layout: Layout;
  readonly ports: Ports;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves once the server answers, on ports that this very process listens on. */
export async function untilHealthy(
  component: Component,
  id: ProcessId,
  options: HealthOptions,
): Promise<void> {
  const { layout, ports, signal } = options;
  const log = layout.log(component.name);
  const startedAtMs = Date.now();
  for (;;) {
    signal?.throwIfAborted();
    const problem = await problemOf(component, id, ports);
    if (problem === undefined) return;
    if (!isAlive(id)) throw new ServerDied(component, readLog(log), log);
    if (Date.now() - startedAtMs > PATIENCE_MS)
      throw new StackError(
        'NOT_HEALTHY',
        `${component.title} runs (pid ${id.pid}) but is not healthy after ${PATIENCE_MS / 1000} s: ${problem}; its log: ${log}`,
      );
    await pause(POLL_MS, signal);
  }
}

/** What keeps it from being healthy now. */
export async function problemOf(
  component: Component,
  id: ProcessId,
  ports: Ports,
): Promise<string | undefined> {
  const deaf = component.ports.find((name) => !listensOn(id, ports[name]));
  if (deaf !== undefined) return `does not listen on port ${ports[deaf]}`;
  try {
    await component.probe(ports);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** What the servers say when somebody else was faster at binding their port. */
const PORT_IN_USE = /address already in use|BindException|already bound|seems to be in use/i;

export class ServerDied extends StackError {
  readonly portInUse: boolean;

  constructor(component: Component, output: string, log: string) {
    super(
      'COMPONENT_DIED',
      `${component.title} died while it was starting. The end of its log (${log}):\n${tail(output, LOG_LINES)}`,
    );
    this.portInUse = PORT_IN_USE.test(output);
  }
}

function readLog(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
