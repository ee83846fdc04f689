import { spawnSync } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { partitionFor } from '@alert-throttle/kafka';
import { createTestTopics, waitFor } from '@alert-throttle/test-kit';
import { describe, expect, it } from 'vitest';
import { feedAlert, logFileAlert } from './testing/kubearmor-json.ts';
import {
  NODE_ID,
  readDeadLetters,
  readRaw,
  runProducer,
  startProducer,
  totalsOf,
  writeLines,
  type ProducerPlace,
} from './testing/producer-run.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const PARTITIONS = 3;

async function place(): Promise<ProducerPlace> {
  return { topics: await createTestTopics(PARTITIONS, 'producer'), folder: temporaryFolder() };
}

describe('the producer', () => {
  it('produces both spellings, and tombstones, each to the partition of its container', async () => {
    const here = await place();
    const file = writeLines(here.folder, [
      feedAlert({ ContainerID: 'a'.repeat(64), Message: 'feed' }),
      logFileAlert({ containerID: 'b'.repeat(64), message: 'log file', nodeID: 'node-2' }),
      '',
      { Operation: 'ContainerDeleted', ContainerID: 'a'.repeat(64) },
      { operation: 'ContainerDeleted', containerID: 'b'.repeat(64), nodeID: 'node-2' },
      feedAlert({ ContainerID: '', Type: 'MatchedHostPolicy', Message: 'host', NodeID: '' }),
    ]);
    expect(await runProducer(here, file)).toMatchObject({
      linesRead: 5,
      alertsProduced: 3,
      tombstonesProduced: 2,
    });

    const records = (await readRaw(here.topics)).sort((a, b) => a.sequence - b.sequence);
    expect(records.map(({ sequence, key }) => [sequence, key])).toEqual([
      [1, 'a'.repeat(64)],
      [2, 'b'.repeat(64)],
      [3, 'a'.repeat(64)],
      [4, 'b'.repeat(64)],
      [5, `host:${NODE_ID}`],
    ]);
    for (const { partition, key } of records) expect(partition).toBe(partitionFor(key, PARTITIONS));
    expect(new Set(records.map(({ bootId }) => bootId)).size).toBe(1);
    expect(records.map(({ nodeId }) => nodeId)).toEqual(['node-1', 'node-2', NODE_ID, 'node-2', NODE_ID]);
    expect(records.map(({ alert }) => alert?.Message)).toEqual([
      'feed',
      'log file',
      undefined,
      undefined,
      'host',
    ]);
    const [feed, logFile] = records.map(({ alert }) => alert);
    expect(logFile).toEqual({
      ...feed,
      ContainerID: 'b'.repeat(64),
      Message: 'log file',
      NodeID: 'node-2',
      Sequence: 2,
      EventData: { Syscall: 'SYS_EXECVE', oid: '0' },
    });
    expect(feed).toMatchObject({
      EventTimeMicros: 1_647_101_470_296_322,
      PolicyName: 'ksp-wordpress-block-process',
    });
    expect(await readDeadLetters(here.topics)).toEqual([]);
  });

  it('reads standard input', async () => {
    const here = await place();
    const input = `${JSON.stringify(feedAlert({ Message: 'one' }))}\n${JSON.stringify(feedAlert({ Message: 'two' }))}`;
    expect(await runProducer(here, '-', { input })).toMatchObject({ linesRead: 2, alertsProduced: 2 });
    expect((await readRaw(here.topics)).map(({ alert }) => alert?.Message)).toEqual(['one', 'two']);
  });

  it('produces a finished file again when it is run again, under new numbers', async () => {
    const here = await place();
    const file = writeLines(here.folder, [feedAlert({ Message: 'one' }), feedAlert({ Message: 'two' })]);
    await runProducer(here, file);
    await runProducer(here, file);
    const records = await readRaw(here.topics);
    expect(records.map(({ alert, sequence }) => [alert?.Message, sequence])).toEqual([
      ['one', 1],
      ['two', 2],
      ['one', 3],
      ['two', 4],
    ]);
    expect(new Set(records.map(({ bootId }) => bootId)).size).toBe(1);
  });

  it('ends with zeros for an empty file, and needs nobody for that', async () => {
    const here = await place();
    const service = startProducer(here, writeLines(here.folder, []), {
      env: { KAFKA_BROKERS: '127.0.0.1:1', SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' },
    });
    expect(await service.exit()).toEqual({ code: 0, signal: null });
    expect(totalsOf(service)).toMatchObject({ linesRead: 0, alertsProduced: 0, alertsLost: 0 });
    expect(service.stderr).toContain('0 lines read, 0 alerts produced');
  });

  it('follows a pipe as it is written, and tells its health and its numbers', async () => {
    const here = await place();
    const pipe = join(here.folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const service = startProducer(here, pipe);
    const writer = createWriteStream(pipe);
    writer.write(`${JSON.stringify(feedAlert({ Message: 'one' }))}\nno alert\n`);
    await waitFor('the first alert', async () => (await readRaw(here.topics)).length === 1);

    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(service.output)?.[0] ?? '';
    for (const path of ['healthz', 'readyz']) {
      const response = await fetch(`${found}/${path}`);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ ok: true, connected: true, spoolFull: false });
    }
    const metrics = await waitFor('the numbers', async () => {
      const text = await (await fetch(`${found}/metrics`)).text();
      return /kind="deadLetter"[^}]*\} 1\n/.test(text) ? text : undefined;
    });
    expect(metrics).toMatch(/alert_throttle_producer_alerts_read_total\{[^}]*\} 1\n/);
    expect(metrics).toMatch(/alert_throttle_producer_records_produced_total\{kind="alert"[^}]*\} 1\n/);
    expect(metrics).toMatch(/alert_throttle_producer_dead_letters_total\{reason="invalid-json"[^}]*\} 1\n/);
    expect(metrics).toMatch(/alert_throttle_producer_alerts_lost_total\{reason="spool full"[^}]*\} 0\n/);
    expect(metrics).toMatch(/alert_throttle_producer_send_seconds_count\{[^}]*\} [1-9]/);

    writer.end(`${JSON.stringify(feedAlert({ Message: 'two' }))}\n`);
    expect((await service.exit()).code).toBe(0);
    expect(totalsOf(service)).toMatchObject({ linesRead: 3, alertsProduced: 2, deadLettersProduced: 1 });
  });

  it('lists every setting', async () => {
    const service = startProducer(await place(), '-', { args: ['--help'] });
    expect((await service.exit()).code).toBe(0);
    for (const name of [
      'SOURCE',
      'FILE',
      'NODE_ID',
      'SPOOL_DIR',
      'SPOOL_FULL',
      'KAFKA_BROKERS',
      'RAW_TOPIC',
      'HTTP_PORT',
    ])
      expect(service.stdout).toContain(name);
  });
});

describe('a settings file', () => {
  it('is followed: a valid change applies, an invalid one is refused by name', async () => {
    const here = await place();
    const settings = join(here.folder, 'settings.yaml');
    const pipe = join(here.folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    writeFileSync(settings, 'spoolMaxBytes: 2000000\nmaxAlertPerSec: 5\n');
    const service = startProducer(here, pipe, { args: ['--config', settings] });
    const writer = createWriteStream(pipe);
    await service.printed('producing');
    writeFileSync(settings, 'spoolMaxBytes: 3000000\nspoolFull: wait\n');
    await service.printed(/settings applied: .*spoolMaxBytes/);
    await service.printed('only after a restart: spoolFull');
    writeFileSync(settings, 'spoolMaxBytes: none\n');
    await service.printed(/spoolMaxBytes.*the last good settings stay/);
    writer.end();
    expect((await service.exit()).code).toBe(0);
  });
});

describe('wrong settings', () => {
  it.each([
    ['a file that does not exist', { FILE: '/nowhere/alerts.jsonl' }, 'there is no such file'],
    ['a directory as the file', { FILE: '/' }, 'it is a directory'],
    ['no file at all', { FILE: '' }, 'FILE is not set'],
    ['an unknown source', { FILE: '-', SOURCE: 'syslog' }, 'SOURCE'],
    ['a spool that is too small', { FILE: '-', SPOOL_MAX_BYTES: '10' }, 'SPOOL_MAX_BYTES'],
  ])('are refused before anything is sent: %s', async (_, env, message) => {
    const service = startProducer(await place(), env.FILE, { env });
    expect(await service.exit()).toEqual({ code: 78, signal: null });
    expect(service.stderr).toContain(message);
  });

  it('include a spool that another producer uses', async () => {
    const here = await place();
    const pipe = join(here.folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const writer = createWriteStream(pipe);
    const first = startProducer(here, pipe);
    await first.printed('producing');
    const second = startProducer(here, writeLines(here.folder, []));
    expect((await second.exit()).code).toBe(1);
    expect(second.stderr).toContain('in use by another producer');
    writer.end();
    expect((await first.exit()).code).toBe(0);
  });
});
