// The servers that a stack consists of, and how each is stopped.
import { rmSync } from 'node:fs';
import type { Component } from './component.ts';
import { kafka } from './kafka.ts';
import type { Layout } from './layout.ts';
import { readPidFile, stopGroup } from './process-id.ts';
import { redis } from './redis.ts';
import { registry } from './registry.ts';

export const components: readonly Component[] = [kafka, registry, redis];

/** Whether it was running. */
export async function stopOne(component: Component, layout: Layout): Promise<boolean> {
  const path = layout.pid(component.name);
  const id = readPidFile(path);
  if (id !== undefined) await stopGroup(id, component.graceMs);
  rmSync(path, { force: true });
  return id !== undefined;
}
