// A broker without a network, for tests of what sends to one: it can be away, and it can take a batch and fail all the same.
import { ProducerError } from '../errors.ts';
import type { AlertSink, SpooledRecord } from '../ports.ts';

export type MemorySinkMode = 'takes' | 'refuses' | 'takes and fails';

export class MemorySink implements AlertSink {
  readonly target = 'memory';
  /** What it has, in the order in which it came. */
  readonly records: SpooledRecord[] = [];
  mode: MemorySinkMode = 'takes';
  /** At most so many records go into one send. */
  maxRecords = 500;

  connect(): Promise<void> {
    return this.mode === 'refuses' ? Promise.reject(failure('refused')) : Promise.resolve();
  }

  fit(records: readonly SpooledRecord[]): number {
    return Math.min(records.length, this.maxRecords);
  }

  send(records: readonly SpooledRecord[]): Promise<void> {
    if (this.mode === 'refuses') return Promise.reject(failure('refused'));
    this.records.push(...records);
    return this.mode === 'takes' ? Promise.resolve() : Promise.reject(failure('the answer was lost'));
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }
}

function failure(why: string): ProducerError {
  return new ProducerError('SEND_FAILED', `memory: ${why}`);
}
