// Clients that none of us wrote read the throttled topic, and find the same records and the same alerts:
// kcat (librdkafka), and for Avro kcat again where its build has it, else Confluent's client for Python.

import { join } from 'node:path';

import type { Alert } from '@alert-throttle/alert';
import { checkout, testStack } from '@alert-throttle/test-kit';
import { Scenario } from '@alert-throttle/throttler/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { kcat, readWithKcat } from './testing/kcat.ts';
import { kcatInstalled, output, pythonWith } from './testing/programs.ts';

const PYTHON = join(checkout, 'e2e', 'python');

interface Seen {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Null for a tombstone. */
  readonly value: Alert | null;
}

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 4, limits: { throttleSec: 1 } });
  const { feed } = scenario;
  const run = scenario.start();
  await run.ready(4);
  const containers = [0, 1, 2, 3].map((partition) => feed.containerIn(partition, 0));
  await feed.send(
    containers.flatMap((ContainerID) =>
      Array.from({ length: 12 }, (_, i) =>
        feed.alert({
          ContainerID,
          Message: `Größe ${i} 🐙`,
          EventData: { Syscall: 'SYS_OPENAT', fd: String(i) },
          ExecEvent: { ExecID: '9007199254740991', ExecutableName: 'cat' },
          ATags: ['FILE', 'MITRE'],
        }),
      ),
    ),
  );
  await feed.tombstone(containers[2] ?? '');
  await scenario.agrees();
  await run.stop();
  await abortedTransaction();
});

afterAll(() => scenario.close());

/** What no read_committed consumer may show. */
async function abortedTransaction(): Promise<void> {
  const producer = scenario.kafka.producer({
    transactionalId: `${scenario.group}/aborted`,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({
    topic: scenario.topics.throttled,
    messages: [0, 1, 2, 3].map((partition) => ({ partition, key: 'aborted', value: 'aborted' })),
  });
  await transaction.abort();
  await producer.disconnect();
}

async function ours(): Promise<Seen[]> {
  const records = await scenario.throttled();
  return Promise.all(
    records.map(async ({ partition, offset, key, value }) => ({
      partition,
      offset,
      key: key?.toString() ?? '',
      value: value === null ? null : await scenario.codec.decode(value),
    })),
  );
}

function inOrder<T extends { readonly partition: number; readonly offset: number }>(
  records: readonly T[],
): T[] {
  return [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

test('kcat sees the same records, byte for byte', async () => {
  await kcatInstalled();
  const seen = await readWithKcat(scenario.topics.throttled);
  const wanted = (await scenario.throttled()).map(({ partition, offset, key, value }) => ({
    partition,
    offset,
    key: key?.toString() ?? '',
    value: value?.toString('hex') ?? null,
  }));
  expect(wanted.length).toBeGreaterThan(4 * 4);
  expect(inOrder(seen)).toEqual(inOrder(wanted));
});

test('an Avro client of another ecosystem finds the same alerts', { timeout: 300_000 }, async () => {
  await kcatInstalled();
  const build = (await output('kcat', ['-V'])).toString();
  const seen = /\bAvro\b/i.test(build) ? await readAvroWithKcat() : await readWithPython();
  expect(inOrder(seen)).toEqual(inOrder(await ours()));
  const operations = new Set(seen.map(({ value }) => value?.Operation));
  expect(operations).toEqual(new Set(['Process', 'AlertThreshold', 'AlertThresholdEnded', undefined]));
});

async function readAvroWithKcat(): Promise<Seen[]> {
  const registry = testStack().SCHEMA_REGISTRY_URL;
  const lines = (await kcat(scenario.topics.throttled, '-s', 'value=avro', '-r', registry, '-J'))
    .toString()
    .trim()
    .split('\n');
  return lines.map((line) => {
    const { partition, offset, key, payload } = JSON.parse(line) as Omit<Seen, 'value'> & {
      payload: unknown;
    };
    return { partition, offset, key, value: withoutUnions(payload) as Alert | null };
  });
}

/** Avro's JSON encoding names the branch of each union: {"alertthrottle.Podowner": {...}}. */
function withoutUnions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUnions);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first?.[0].startsWith('alertthrottle.') === true)
    return withoutUnions(first[1]);
  return Object.fromEntries(entries.map(([name, item]) => [name, withoutUnions(item)]));
}

async function readWithPython(): Promise<Seen[]> {
  const python = await pythonWith(join(PYTHON, 'requirements.txt'));
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = testStack();
  const script = join(PYTHON, 'read_topic.py');
  const text = (
    await output(python, [script, KAFKA_BROKERS, SCHEMA_REGISTRY_URL, scenario.topics.throttled])
  ).toString();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Seen);
}
