// A process for tests to kill: appends to a spool and acknowledges from it without end, and prints what is durable.
import { openSqliteSpool } from '../adapters/sqlite-spool.ts';
import { append, record } from './spool-records.ts';

const [, , dir = ''] = process.argv;
const spool = openSqliteSpool({ dir, maxBytes: 1e9, schemaVersion: 7, nowMs: Date.now });
for (let round = 0; ; round++) {
  const first = spool.nextSequence;
  const count = 1 + (round % 50);
  const records = Array.from({ length: count }, (_, index) => record(String(first + index)));
  const next = first + count;
  spool.append(append(records, next, { cursor: { source: '/writer', value: String(next - 1) } }));
  process.stdout.write(`${next}\n`);
  if (round % 3 === 0) spool.acknowledge(spool.read({ maxRecords: 60, maxBytes: 1e9 }).length);
  if (round % 7 === 0) spool.flush();
}
