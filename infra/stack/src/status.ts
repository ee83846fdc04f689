// What a stack looks like now.
import type { Component } from './component.ts';
import { components } from './components.ts';
import { envOf } from './env-file.ts';
import { layoutOf, type ComponentName, type Layout } from './layout.ts';
import { readPorts, type Ports } from './ports.ts';
import { readPidFile, requireLinux } from './process-id.ts';
import { problemOf } from './server-process.ts';

export interface ComponentStatus {
  readonly name: ComponentName;
  readonly title: string;
  readonly state: 'healthy' | 'unhealthy' | 'stopped';
  readonly pid?: number;
  /** The line of .stack/env that is about it. */
  readonly address?: string;
  /** What is wrong with an unhealthy one. */
  readonly problem?: string;
  readonly log: string;
}

/** Asks every server; changes nothing. */
export async function stackStatus({ dir }: { readonly dir: string }): Promise<ComponentStatus[]> {
  requireLinux();
  const layout = layoutOf(dir);
  const known = readPorts(layout.ports);
  return Promise.all(components.map((component) => statusOf(component, layout, known)));
}

async function statusOf(
  component: Component,
  layout: Layout,
  known: Partial<Ports>,
): Promise<ComponentStatus> {
  const { name, title } = component;
  const id = readPidFile(layout.pid(name));
  const rest = { name, title, log: layout.log(name) };
  if (id === undefined) return { ...rest, state: 'stopped' };
  const ports = { kafka: 0, controller: 0, registry: 0, redis: 0, ...known };
  const problem = await problemOf(component, id, ports);
  const address = addressOf(component, ports);
  if (problem !== undefined) return { ...rest, state: 'unhealthy', pid: id.pid, address, problem };
  return { ...rest, state: 'healthy', pid: id.pid, address };
}

function addressOf({ name }: Component, ports: Ports): string {
  const env = envOf(ports);
  switch (name) {
    case 'kafka':
      return env.KAFKA_BROKERS;
    case 'registry':
      return env.SCHEMA_REGISTRY_URL;
    case 'redis':
      return env.REDIS_URL;
  }
}
