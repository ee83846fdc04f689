// Where the servers of a test run come from: those that the environment names, containers, or a stack of our own.
import { parseEnv, type StackEnv } from '@alert-throttle/stack';
import { processStack } from './process-stack.ts';

export interface ProvidedStack {
  readonly env: StackEnv;
  readonly stop: () => Promise<void>;
}

export type ProviderKind = 'environment' | 'containers' | 'processes';

const NAMES = ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL', 'REDIS_URL'] as const;

/** Throws where the environment contradicts itself: half of a stack, or an unknown kind. */
export function providerKind(env: NodeJS.ProcessEnv): ProviderKind {
  const given = NAMES.filter((name) => env[name]);
  if (given.length === NAMES.length) return 'environment';
  if (given.length > 0)
    throw new Error(
      `set all of ${NAMES.join(', ')} to test against running servers, or none; only ${given.join(', ')} is set`,
    );
  const asked = env['TEST_STACK'] || 'processes';
  if (asked !== 'containers' && asked !== 'processes')
    throw new Error(`TEST_STACK must be "containers" or "processes" (the default), not "${asked}"`);
  return asked;
}

export async function provideStack(env: NodeJS.ProcessEnv): Promise<ProvidedStack> {
  switch (providerKind(env)) {
    case 'environment':
      return { env: givenStack(env), stop: () => Promise.resolve() };
    case 'containers':
      // Only where it is wanted: the library is large.
      return (await import('./container-stack.ts')).containerStack();
    case 'processes':
      return processStack();
  }
}

function givenStack(env: NodeJS.ProcessEnv): StackEnv {
  const given = parseEnv(NAMES.map((name) => `${name}=${env[name] ?? ''}`).join('\n'));
  if (given === undefined) throw new Error(`${NAMES.join(', ')} must all be set`);
  return given;
}
