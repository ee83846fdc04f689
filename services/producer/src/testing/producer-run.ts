// The producer as a process against the real servers, and what it left in the topics, for integration tests.
import { writeFileSync } from 'node:fs';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { AlertCodec, type Alert } from '@alert-throttle/alert';
import type { TopicNames } from '@alert-throttle/kafka';
import {
  readTopic,
  runService,
  testStack,
  topicEnv,
  type ReadRecord,
  type RunningService,
  type RunServiceOptions,
} from '@alert-throttle/test-kit';
import { onTestFinished } from 'vitest';

export const NODE_ID = 'node-of-the-test';

export interface ProducerPlace {
  readonly topics: TopicNames;
  /** Holds the spool and the files of the test. */
  readonly folder: string;
}

export function startProducer(
  { topics, folder }: ProducerPlace,
  file: string,
  options: RunServiceOptions = {},
): RunningService {
  const env = { ...topicEnv(topics), SPOOL_DIR: join(folder, 'spool'), NODE_ID, ...options.env };
  return runService('producer', { ...options, args: ['--file', file, ...(options.args ?? [])], env });
}

/** Runs it to its end, which must be a good one. */
export async function runProducer(
  place: ProducerPlace,
  file: string,
  options?: RunServiceOptions,
): Promise<Record<string, unknown>> {
  const service = startProducer(place, file, options);
  const { code } = await service.exit();
  if (code !== 0) throw new Error(`exit ${code}:\n${service.output}`);
  return totalsOf(service);
}

/** The counts of its last log line. */
export function totalsOf(service: RunningService): Record<string, unknown> {
  const last = service.log.findLast(({ msg }) => String(msg).startsWith('producer finished'));
  if (last === undefined) throw new Error(`it did not finish:\n${service.output}`);
  return last;
}

export function writeLines(
  folder: string,
  lines: readonly (string | Buffer | object)[],
  name = 'alerts.jsonl',
): string {
  const path = join(folder, name);
  const bytes = lines.map((line) =>
    Buffer.isBuffer(line) ? line : Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)),
  );
  writeFileSync(path, Buffer.concat(bytes.flatMap((line) => [line, Buffer.from('\n')])));
  return path;
}

/** A record of the raw topic. A tombstone has no alert. */
export interface RawRecord {
  readonly partition: number;
  readonly key: string;
  readonly alert: Alert | undefined;
  readonly nodeId: string;
  readonly bootId: string;
  readonly sequence: number;
}

export async function readRaw({ raw }: TopicNames): Promise<RawRecord[]> {
  const codec = new AlertCodec({ url: testStack().SCHEMA_REGISTRY_URL });
  const records: RawRecord[] = [];
  for (const record of await readTopic(raw)) records.push(await rawRecord(codec, record));
  return records;
}

async function rawRecord(
  codec: AlertCodec,
  { partition, key, value, headers }: ReadRecord,
): Promise<RawRecord> {
  const place = { partition, key: key?.toString() ?? '' };
  if (value === null) {
    const [nodeId, bootId, sequence] = ['NodeID', 'BootID', 'Sequence'].map(
      (name) => headers[name]?.toString() ?? '',
    );
    return {
      ...place,
      alert: undefined,
      nodeId: nodeId ?? '',
      bootId: bootId ?? '',
      sequence: Number(sequence),
    };
  }
  const alert = await codec.decode(value);
  return { ...place, alert, nodeId: alert.NodeID, bootId: alert.BootID, sequence: alert.Sequence };
}

/** As the throttler reads: per partition, node and boot, a number that is not above all before it is a repeat. */
export function withoutRepeats(records: readonly RawRecord[]): RawRecord[] {
  const highest = new Map<string, number>();
  return records.filter(({ partition, nodeId, bootId, sequence }) => {
    const counter = `${partition}/${nodeId}/${bootId}`;
    if (sequence <= (highest.get(counter) ?? 0)) return false;
    highest.set(counter, sequence);
    return true;
  });
}

export interface DeadLetter {
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export async function readDeadLetters({ deadLetter }: TopicNames): Promise<DeadLetter[]> {
  const letters = (await readTopic(deadLetter)).map(({ value, headers }) => ({
    value: value ?? Buffer.alloc(0),
    headers: Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, header.toString()])),
  }));
  return letters.sort((a, b) => Number(a.headers['line']) - Number(b.headers['line']));
}

/** A port on which nothing listens until open() is called; then it leads to the server behind `target` (host:port). */
export interface Gate {
  readonly address: string;
  open(): Promise<void>;
}

export async function closedGate(target: string): Promise<Gate> {
  const port = await freePort();
  const [host = '', targetPort = ''] = target.split(':');
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(targetPort), host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => [near, far].forEach((one) => one.destroy()));
    }
    near.pipe(far).pipe(near);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: `127.0.0.1:${port}`, open: () => listen(server, port) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await listen(server, 0);
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}
