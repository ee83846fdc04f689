// Stops kafkajs 2.2.4 from waking up each millisecond on every connection.
//
// Its request queue schedules a look at pending requests after every response, in `throttledUntil - now` milliseconds.
// Not throttled is -1, so the delay is hugely negative: Node takes that as 1 ms and, from version 24 on, prints
// TimeoutNegativeWarning; and each look schedules the next. The look is needed only while requests are pending:
// `push` schedules one, too. (tulios/kafkajs issues 1704 and 1751.)
import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const PATCHED_VERSION = '2.2.4';
const patched = new WeakSet<RequestQueue>();

/** Idempotent. Leaves any other version of kafkajs alone. */
export function stopIdleTimers(): void {
  const require = createRequire(import.meta.url);
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== PATCHED_VERSION) return;
  const { prototype } = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  if (patched.has(prototype)) return;
  patched.add(prototype);
  const schedule = Object.getOwnPropertyDescriptor(prototype, 'scheduleCheckPendingRequests')?.value as (
    this: RequestQueue,
  ) => void;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
