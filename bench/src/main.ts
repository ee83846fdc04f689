// npm run bench [-- NAME ...]: runs the benchmarks, prints a table for each on standard error and one JSON
// object on standard output. Those that need servers use KAFKA_BROKERS and the others, or a stack of their own.

import { join, resolve } from 'node:path';

import { stackDown, stackUp, type StackEnv } from '@alert-throttle/stack';

import { codecBench } from './codec.bench.ts';
import { compressionBench } from './compression.bench.ts';
import { containersBench } from './containers.bench.ts';
import { decideBench } from './decide.bench.ts';
import { latencyBench } from './latency.bench.ts';
import { recoveryBench } from './recovery.bench.ts';
import { throughputBench } from './throughput.bench.ts';

/** Absolute: servers have working folders of their own. */
const STACK_DIR = resolve('.stack-bench');

type Bench = (env: () => Promise<StackEnv>) => unknown;

const BENCHES: Readonly<Record<string, Bench>> = {
  decide: () => decideBench(),
  codec: () => codecBench(),
  compression: async (env) => {
    const servers = await env();
    return compressionBench(servers, own.stack ? join(STACK_DIR, 'kafka', 'data') : undefined);
  },
  throughput: async (env) => throughputBench(await env()),
  containers: async (env) => containersBench(await env()),
  recovery: async (env) => recoveryBench(await env()),
  latency: async (env) => latencyBench(await env()),
};

const USAGE = `Usage: npm run bench [-- NAME ...]

Benchmarks: ${Object.keys(BENCHES).join(', ')}; all of them if none is named.
`;

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in BENCHES));
if (names.includes('--help') || names.includes('-h')) {
  process.stdout.write(USAGE);
  process.exit(0);
}
if (unknown.length > 0) {
  process.stderr.write(`no such benchmark: ${unknown.join(', ')}\n\n${USAGE}`);
  process.exit(2);
}

const own: { stack: boolean } = { stack: false };

async function servers(): Promise<StackEnv> {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL } = process.env;
  if (KAFKA_BROKERS !== undefined && SCHEMA_REGISTRY_URL !== undefined && REDIS_URL !== undefined) {
    return { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL };
  }
  own.stack = true;
  const { env } = await stackUp({ dir: STACK_DIR, log: (line) => process.stderr.write(`${line}\n`) });
  return env;
}

function table(name: string, result: unknown): void {
  const { cases } = result as { cases: object };
  process.stderr.write(`\n${name}\n`);
  console.error(Array.isArray(cases) ? asTable(Object.fromEntries(cases.entries())) : asTable(cases));
}

/** One row per case, columns as the fields are named. */
function asTable(cases: object): string {
  const rows = Object.entries(cases as Record<string, Record<string, unknown>>);
  const columns = Object.keys(rows[0]?.[1] ?? {});
  const cells = [
    ['', ...columns],
    ...rows.map(([name, row]) => [name, ...columns.map((column) => String(row[column]))]),
  ];
  const widths = cells[0]?.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0))) ?? [];
  return cells.map((row) => row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  ')).join('\n');
}

const results: Record<string, unknown> = {};
try {
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    results[name] = await bench(servers);
    table(name, results[name]);
  }
} finally {
  if (own.stack) await stackDown({ dir: STACK_DIR, wipe: true });
}
process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
