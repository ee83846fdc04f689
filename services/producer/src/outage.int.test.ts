import { spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { createTopics, type TopicNames } from '@alert-throttle/kafka';
import { createTestTopics, testKafka, testStack, uniqueName, waitFor } from '@alert-throttle/test-kit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { feedAlert } from './testing/kubearmor-json.ts';
import {
  closedGate,
  readRaw,
  runProducer,
  startProducer,
  totalsOf,
  withoutRepeats,
  writeLines,
  type ProducerPlace,
} from './testing/producer-run.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const PARTITIONS = 3;

async function place(): Promise<ProducerPlace> {
  return { topics: await createTestTopics(PARTITIONS, 'producer'), folder: temporaryFolder() };
}

/** Alerts of seven containers in turn; the message is the alert's number. */
function alerts(from: number, count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) => {
    const number = from + index;
    return feedAlert({ ContainerID: String(number % 7).padStart(64, 'c'), Message: String(number) });
  });
}

function numbers(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

async function numbersIn(topics: TopicNames): Promise<number[]> {
  const records = withoutRepeats(await readRaw(topics));
  return records.map(({ sequence }) => sequence).sort((a, b) => a - b);
}

const brokers = (): string => testStack().KAFKA_BROKERS.split(',')[0] ?? '';

describe('a broker that refuses', () => {
  it('is named in the log, and gets everything once it is there', async () => {
    const here = await place();
    const gate = await closedGate(brokers());
    const service = startProducer(here, writeLines(here.folder, alerts(1, 50)), {
      env: { KAFKA_BROKERS: gate.address },
    });
    await service.printed(new RegExp(`${gate.address}.*ECONNREFUSED`));
    expect(service.running).toBe(true);
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(service.output)?.[0] ?? '';
    expect((await fetch(`${found}/readyz`)).status).toBe(503);
    expect((await fetch(`${found}/healthz`)).status).toBe(200);
    await gate.open();
    expect((await service.exit()).code).toBe(0);
    expect(totalsOf(service)).toMatchObject({ alertsProduced: 50, alertsLost: 0 });
    expect(await numbersIn(here.topics)).toEqual(numbers(1, 50));
  });

  it('costs nothing that was read: SIGTERM keeps it in the spool, and the next run sends it', async () => {
    const here = await place();
    const file = writeLines(here.folder, alerts(1, 50));
    const service = startProducer(here, file, {
      env: { KAFKA_BROKERS: '127.0.0.1:1', SHUTDOWN_TIMEOUT_SEC: '0' },
    });
    await service.printed('ECONNREFUSED');
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(totalsOf(service)).toMatchObject({ linesRead: 50, alertsProduced: 0, recordsLeftInSpool: 50 });
    expect(service.stderr).toContain('50 records left in the spool');

    expect(await runProducer(here, file)).toMatchObject({
      linesRead: 0,
      alertsProduced: 50,
      recordsFromEarlierRun: 50,
    });
    expect(await numbersIn(here.topics)).toEqual(numbers(1, 50));
  });

  it('costs nothing when a second signal ends it at once', async () => {
    const here = await place();
    const file = writeLines(here.folder, alerts(1, 50));
    const service = startProducer(here, file, {
      env: { KAFKA_BROKERS: '127.0.0.1:1', SHUTDOWN_TIMEOUT_SEC: '300' },
    });
    await service.printed('ECONNREFUSED');
    service.kill('SIGTERM');
    await service.printed('stopping');
    // What comes within a moment is the same Ctrl-C, passed on by npm.
    await new Promise((resume) => setTimeout(resume, 400));
    service.kill('SIGTERM');
    expect(await service.exit()).toEqual({ code: 130, signal: null });
    expect(await runProducer(here, file)).toMatchObject({ alertsProduced: 50, recordsFromEarlierRun: 50 });
    expect(await numbersIn(here.topics)).toEqual(numbers(1, 50));
  });

  it('loses no more of a full spool than it says, and says it in the stream', async () => {
    const here = await place();
    const pipe = join(here.folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const gate = await closedGate(brokers());
    const service = startProducer(here, pipe, {
      env: { KAFKA_BROKERS: gate.address, SPOOL_MAX_BYTES: String(1024 * 1024), SPOOL_FULL: 'drop' },
    });
    const writer = createWriteStream(pipe);
    const total = 4_000;
    writer.write(
      `${alerts(1, total)
        .map((alert) => JSON.stringify(alert))
        .join('\n')}\n`,
    );
    const found = await waitFor('the address', () => /http:\/\/127\.0\.0\.1:\d+/.exec(service.output)?.[0]);
    await waitFor('all to be read', async () => {
      const metrics = await (await fetch(`${found}/metrics`)).text();
      const [, read] = /producer_alerts_read_total\{[^}]*\} (\d+)/.exec(metrics) ?? [];
      return Number(read) === total;
    });
    await gate.open();
    await waitFor('the announcement', () => service.output.includes('announced in the stream'));
    writer.end(
      `${alerts(total + 1, 10)
        .map((alert) => JSON.stringify(alert))
        .join('\n')}\n`,
    );
    expect((await service.exit()).code).toBe(0);
    const totals = totalsOf(service);
    const lost = Number(totals['alertsLost']);
    expect(lost).toBeGreaterThan(0);
    expect(totals['alertsProduced']).toBe(total + 10 - lost);

    const records = withoutRepeats(await readRaw(here.topics)).sort((a, b) => a.sequence - b.sequence);
    const events = records.filter(({ alert }) => alert?.Operation === 'AlertsLost');
    expect(events).toHaveLength(1);
    const [event] = events;
    const first = event?.alert?.Lost?.First ?? 0;
    const last = first + lost - 1;
    expect(event).toMatchObject({ key: 'host:node-of-the-test', sequence: last + 1 });
    expect(event?.alert).toMatchObject({
      Type: 'SystemEvent',
      Enforcer: '',
      Lost: { LostAlerts: lost, First: first, Last: last, Counter: 'sequence', Reason: 'spool full' },
    });
    // The gap in the numbers is the loss, and the lines around it are all there.
    expect(records.map(({ sequence }) => sequence)).toEqual([
      ...numbers(1, first - 1),
      ...numbers(last + 1, 1 + total + 10 - last),
    ]);
    const messages = records.filter((record) => record !== event).map(({ alert }) => Number(alert?.Message));
    expect(messages).toEqual([...numbers(1, first - 1), ...numbers(last + 1, total + 10 - last)]);
  });
});

describe('a topic that does not exist', () => {
  it('is named with the command that makes it, and used once it is there', async () => {
    const name = uniqueName('producer');
    const topics = { raw: `${name}.raw`, throttled: `${name}.throttled`, deadLetter: `${name}.dead-letter` };
    const here = { topics, folder: temporaryFolder() };
    const service = startProducer(here, writeLines(here.folder, alerts(1, 5)));
    await service.printed(new RegExp(`topic ${topics.raw} does not exist.*kafka-topics.sh.*--create`));
    await createTopics(testKafka(), topics, { partitions: PARTITIONS, replication: 1 });
    expect((await service.exit()).code).toBe(0);
    expect(await numbersIn(topics)).toEqual(numbers(1, 5));
  });
});

describe('a registry that answers 500', () => {
  it('is named in the log, and asked again until it is well', async () => {
    const here = await place();
    const registry = await sickRegistry();
    const service = startProducer(here, writeLines(here.folder, alerts(1, 5)), {
      env: { SCHEMA_REGISTRY_URL: registry.url },
    });
    await service.printed(/500.*trying again/);
    registry.recover();
    expect((await service.exit()).code).toBe(0);
    expect(await numbersIn(here.topics)).toEqual(numbers(1, 5));
  });
});

/** In front of the real registry: answers 500 to everything until it recovers. */
async function sickRegistry(): Promise<{ url: string; recover: () => void }> {
  const real = new URL(testStack().SCHEMA_REGISTRY_URL);
  let sick = true;
  const server = createServer((incoming, outgoing) => {
    if (sick) {
      incoming.resume();
      outgoing.writeHead(500).end('{"error_code":50001,"message":"sick"}');
      return;
    }
    const { method, headers } = incoming;
    const { hostname, port } = real;
    const onward = request({ hostname, port, path: incoming.url, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}${real.pathname}`, recover: () => (sick = false) };
}
