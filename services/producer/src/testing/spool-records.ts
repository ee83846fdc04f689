// Records for tests of spools. Without vitest, so that a process of its own may use it, too.
import type { NewRecord } from '../core/record.ts';
import type { Spool, SpoolAppend } from '../ports.ts';

export const READ_ALL = { maxRecords: 1_000, maxBytes: 1024 * 1024 };

export function record(text: string, kind: NewRecord['kind'] = 'alert'): NewRecord {
  return { kind, key: 'container', value: Buffer.from(text), headers: null };
}

export function append(
  records: readonly NewRecord[],
  nextSequence: number,
  rest: Partial<SpoolAppend> = {},
): SpoolAppend {
  return { records, nextSequence, loss: undefined, cursor: undefined, ...rest };
}

export function textsIn(spool: Spool): string[] {
  return spool.read(READ_ALL).map(({ value }) => Buffer.from(value ?? []).toString());
}
