import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { stopIdleTimers } from './idle-timer.ts';

interface RequestQueue {
  pending: unknown[];
  throttleCheckTimeoutId: unknown;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}
type RequestQueueClass = new (options: object) => RequestQueue;

const require = createRequire(import.meta.url);

function queue(): RequestQueue {
  const Queue = require('kafkajs/src/network/requestQueue') as RequestQueueClass;
  return new Queue({ maxInFlightRequests: null, requestTimeout: 1000, clientId: 'test', broker: 'none' });
}

test('given a request queue of kafkajs, then it wakes up only while requests are pending', () => {
  stopIdleTimers();
  stopIdleTimers();
  const idle = queue();
  idle.scheduleCheckPendingRequests();
  expect(idle.throttleCheckTimeoutId).toBeNull();
  const busy = queue();
  busy.pending = [{}];
  busy.scheduleCheckPendingRequests();
  expect(busy.throttleCheckTimeoutId).not.toBeNull();
  busy.destroy();
});

test('given the version of kafkajs here, then it is the one that the patch is for', () => {
  expect((require('kafkajs/package.json') as { version: string }).version).toBe('2.2.4');
});
