// The servers of this test run, as a test sees them.
import type { StackEnv } from '@alert-throttle/stack';
import { inject } from 'vitest';
import type {} from './global-setup.ts';

/** KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL; only in *.int.test.ts and *.fault.test.ts. */
export function testStack(): StackEnv {
  return inject('stack');
}
