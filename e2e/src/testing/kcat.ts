// A topic as kcat (librdkafka) reads it.

import { testStack } from '@alert-throttle/test-kit';

import { output } from './programs.ts';

export interface KcatRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** In hex; null for a tombstone. */
  readonly value: string | null;
}

export function kcat(topic: string, ...format: string[]): Promise<Buffer> {
  return output('kcat', [
    ...['-C', '-e', '-q', '-o', 'beginning', '-X', 'isolation.level=read_committed'],
    ...['-b', testStack().KAFKA_BROKERS, '-t', topic],
    ...format,
  ]);
}

export async function readWithKcat(topic: string): Promise<KcatRecord[]> {
  // %R is the length of the value in four bytes, or -1; the value follows.
  const bytes = await kcat(topic, '-f', '%p %o %k %R%s');
  const seen: KcatRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    const ends = [0, 0, 0];
    for (let i = 0, from = at; i < ends.length; i++) from = (ends[i] = bytes.indexOf(' ', from)) + 1;
    const [partition = '', offset = '', key = ''] = ends.map((end, i) =>
      bytes.toString('latin1', i === 0 ? at : (ends[i - 1] ?? 0) + 1, end),
    );
    const valueAt = (ends[2] ?? 0) + 5;
    const length = bytes.readInt32BE(valueAt - 4);
    at = valueAt + Math.max(0, length);
    const value = length < 0 ? null : bytes.toString('hex', valueAt, at);
    seen.push({ partition: Number(partition), offset: Number(offset), key, value });
  }
  return seen;
}
