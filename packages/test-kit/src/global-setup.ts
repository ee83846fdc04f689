// Vitest's global setup of the projects that need Kafka, the registry and Redis: one stack for the whole run.
import type { StackEnv } from '@alert-throttle/stack';
import type { TestProject } from 'vitest/node';
import { provideStack, type ProvidedStack } from './providers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackEnv;
  }
}

interface Shared {
  users: number;
  readonly stack: Promise<ProvidedStack>;
}

declare global {
  /** Vitest loads this module once per project, and runs the setups of all of them before the first test. */
  var alertThrottleTestStack: Shared | undefined;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const use = (globalThis.alertThrottleTestStack ??= { users: 0, stack: provideStack(process.env) });
  use.users++;
  const { env, stop } = await use.stack;
  project.provide('stack', env);
  return async () => {
    use.users--;
    if (use.users > 0) return;
    globalThis.alertThrottleTestStack = undefined;
    await stop();
  };
}
