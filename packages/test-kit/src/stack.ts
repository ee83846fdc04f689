// The servers of this test run, as a test sees them.
import { findRedis, type RedisServer, type StackEnv } from '@alert-throttle/stack';
import { inject } from 'vitest';
import type {} from './global-setup.ts';

/** KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL; only in *.int.test.ts and *.fault.test.ts. */
export function testStack(): StackEnv {
  return inject('stack');
}

/** What to spawn, and under which name (argv0), in a test that needs a Redis of its own: with a password, or killed. */
export function redisServer(): RedisServer {
  const found = findRedis();
  if (found === undefined)
    throw new Error('this test starts a Redis of its own and finds none: apt-get install redis-tools');
  return found;
}
