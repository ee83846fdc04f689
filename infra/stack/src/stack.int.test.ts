// A stack of its own, whatever stack the other tests use: this one is stopped, killed and deleted here.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createKafka } from '@alert-throttle/kafka';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StackEnv } from './env-file.ts';
import { COMPONENTS, layoutOf } from './layout.ts';
import { identify, isAlive, readPidFile, writePidFile, type ProcessId } from './process-id.ts';
import { DEFAULT_STACK_DIR } from './stack-dir.ts';
import { stackDown, stackEnv, stackUp } from './stack.ts';
import { stackStatus } from './status.ts';

const dir = join(DEFAULT_STACK_DIR, '..', '.stack-test', `launcher-${process.pid}`);
const layout = layoutOf(dir);
const topic = 'kept';
const plan = {
  names: { raw: topic, throttled: `${topic}.throttled`, deadLetter: `${topic}.dead-letter` },
  partitions: 2,
};

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function admin(env: StackEnv): ReturnType<ReturnType<typeof createKafka>['admin']> {
  return createKafka({ brokers: [env.KAFKA_BROKERS], clientId: 'launcher-test' }, silent).admin();
}

async function send(env: StackEnv, value: string): Promise<void> {
  const producer = createKafka(
    { brokers: [env.KAFKA_BROKERS], clientId: 'launcher-test' },
    silent,
  ).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value, partition: 0 }] });
  await producer.disconnect();
}

async function endOf(env: StackEnv): Promise<string | undefined> {
  const client = admin(env);
  await client.connect();
  const offsets = await client.fetchTopicOffsets(topic);
  await client.disconnect();
  return offsets.find(({ partition }) => partition === 0)?.high;
}

async function registry(env: StackEnv, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${env.SCHEMA_REGISTRY_URL}${path}`, {
    method,
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return response.json();
}

/** One inline command; the answer as it came. */
function redis(env: StackEnv, command: string): Promise<string> {
  const { hostname, port } = new URL(env.REDIS_URL);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) }, () =>
      socket.write(`${command}\r\n`),
    );
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      resolve(answer.toString().trim());
    });
  });
}

function processes(): (ProcessId | undefined)[] {
  return COMPONENTS.map((name) => readPidFile(layout.pid(name)));
}

/** kill -9, and its end, which the kernel may take a moment for. */
async function crash(id: ProcessId | undefined): Promise<void> {
  if (id === undefined) throw new Error('it does not run');
  process.kill(id.pid, 'SIGKILL');
  while (isAlive(id)) await new Promise((resolve) => setTimeout(resolve, 10));
}

const fields = (...names: string[]): string =>
  JSON.stringify({
    type: 'record',
    name: 'R',
    fields: names.map((name) => ({ name, type: 'string', default: '' })),
  });

/** Says to later runs whose folder this is, should this one be killed. */
const owner = `${dir}.owner`;

beforeAll(() => {
  const self = identify(process.pid);
  if (self) writePidFile(owner, self);
});

afterAll(async () => {
  await stackDown({ dir, wipe: true });
  rmSync(owner, { force: true });
});

describe('a stack', () => {
  let env: StackEnv;
  let before: readonly (ProcessId | undefined)[];

  beforeAll(async () => {
    const up = await stackUp({ dir, topics: plan, usualPorts: false });
    expect(up.started).toBe(true);
    env = up.env;
    before = processes();
  });

  it('is healthy once it is up, listens on loopback only, and its addresses are in a file', async () => {
    expect((await stackStatus({ dir })).map(({ state }) => state)).toEqual(['healthy', 'healthy', 'healthy']);
    expect(stackEnv({ dir })).toEqual(env);
    for (const id of before) expect(listeningAddresses(id)).toEqual(['127.0.0.1']);
  });

  it('has the topics', async () => {
    const client = admin(env);
    await client.connect();
    const { topics } = await client.fetchTopicMetadata({ topics: Object.values(plan.names) });
    await client.disconnect();
    expect(topics.map(({ partitions }) => partitions.length)).toEqual([2, 2, 2]);
  });

  it('has a registry that holds a subject to its compatibility', async () => {
    expect(await registry(env, 'GET', '/config/kept-value')).toMatchObject({ error_code: 40401 });
    await registry(env, 'PUT', '/config/kept-value', { compatibility: 'FULL_TRANSITIVE' });
    const first = await registry(env, 'POST', '/subjects/kept-value/versions', { schema: fields('a') });
    expect(first).toEqual({ id: expect.any(Number) as number });
    const again = await registry(env, 'POST', '/subjects/kept-value/versions', { schema: fields('a') });
    expect(again).toEqual(first);
    const broken = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'b', type: 'long' }] });
    const refused = await registry(env, 'POST', '/subjects/kept-value/versions', { schema: broken });
    expect(refused).toMatchObject({ error_code: 409 });
  });

  it('that is up already is left as it is', async () => {
    const again = await stackUp({ dir, topics: plan, usualPorts: false });
    expect(again).toEqual({ env, started: false });
    expect(processes()).toEqual(before);
  });

  it('keeps its data and its ports when it is stopped and started, also after kill -9', async () => {
    await send(env, 'kept');
    const { id } = (await registry(env, 'POST', '/subjects/kept-value/versions', {
      schema: fields('a'),
    })) as {
      id: number;
    };
    expect(await redis(env, 'SET kept yes')).toBe('+OK');

    await stackDown({ dir });
    expect(before.some((one) => one !== undefined && isAlive(one))).toBe(false);
    expect(stackEnv({ dir })).toBeUndefined();
    expect((await stackStatus({ dir })).map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped']);

    const second = await stackUp({ dir, topics: plan, usualPorts: false });
    expect(second).toEqual({ env, started: true });
    await send(env, 'kept as well');
    await registry(env, 'POST', '/subjects/kept-value/versions', { schema: fields('a', 'b') });
    await Promise.all(processes().map(crash));

    const third = await stackUp({ dir, topics: plan, usualPorts: false });
    expect(third).toEqual({ env, started: true });
    expect(await endOf(env)).toBe('2');
    expect(await registry(env, 'GET', `/schemas/ids/${id}`)).toMatchObject({ schema: fields('a') });
    expect(await registry(env, 'GET', '/subjects/kept-value/versions')).toEqual([1, 2]);
    expect(await redis(env, 'GET kept')).toMatch(/yes$/);
  });

  it('gets back only the server that died', async () => {
    const [kafka, schemas, store] = processes();
    await crash(store);
    expect(await stackUp({ dir, topics: plan, usualPorts: false })).toEqual({ env, started: true });
    const now = processes();
    expect(now.slice(0, 2)).toEqual([kafka, schemas]);
    expect(now[2]).not.toEqual(store);
  });

  it('says what a server that does not start has to say, and takes the rest back', async () => {
    await stackDown({ dir });
    const manifest = join(layout.data('redis'), 'appendonlydir', 'appendonly.aof.manifest');
    const good = readFileSync(manifest);
    writeFileSync(manifest, 'not a manifest\n');
    onTestFinished(() => writeFileSync(manifest, good));
    await expect(stackUp({ dir, topics: false, usualPorts: false })).rejects.toMatchObject({
      code: 'COMPONENT_DIED',
      message: expect.stringMatching(/^Redis died[^]*AOF MANIFEST FILE ERROR/) as string,
    });
    expect(processes()).toEqual([undefined, undefined, undefined]);
  });

  it('that is interrupted while it starts leaves no process behind', async () => {
    const interruption = new AbortController();
    const reason = new Error('interrupted');
    const starting = stackUp({
      dir,
      topics: false,
      usualPorts: false,
      signal: interruption.signal,
      log: (line) => {
        if (line.startsWith('Redis is healthy')) interruption.abort(reason);
      },
    });
    await expect(starting).rejects.toBe(reason);
    expect(processes()).toEqual([undefined, undefined, undefined]);
    expect(pidsUnder(dir)).toEqual([]);
  });

  it('is gone without a trace once it is wiped, but for what is not its own', async () => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'mine'), 'a file of the user');
    await stackDown({ dir, wipe: true });
    expect(readdirSync(dir)).toEqual(['mine']);
    rmSync(join(dir, 'mine'));
    await stackDown({ dir, wipe: true });
    expect(existsSync(dir)).toBe(false);
  });
});

/** Without repeats. */
function listeningAddresses(id: ProcessId | undefined): string[] {
  const pid = id?.pid ?? 0;
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const link = execFileSync('readlink', [`/proc/${pid}/fd/${fd}`], { encoding: 'utf8' });
      return /socket:\[(\d+)\]/.exec(link)?.[1] ?? [];
    }),
  );
  const lines = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n'),
  );
  const own = lines
    .map((line) => line.trim().split(/\s+/))
    .filter((line) => line[3] === '0A' && inodes.has(line[9] ?? ''));
  return [...new Set(own.map((line) => (line[1]?.startsWith('0100007F:') ? '127.0.0.1' : (line[1] ?? ''))))];
}

/** Processes that work in a folder. */
function pidsUnder(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => identify(pid) !== undefined && workingDirectory(pid).startsWith(folder));
}

function workingDirectory(pid: number): string {
  try {
    return execFileSync('readlink', [`/proc/${pid}/cwd`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}
