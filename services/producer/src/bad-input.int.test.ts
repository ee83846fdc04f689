import { createTestTopics } from '@alert-throttle/test-kit';
import { expect, it } from 'vitest';
import { feedAlert, logFileAlert } from './testing/kubearmor-json.ts';
import {
  NODE_ID,
  readDeadLetters,
  readRaw,
  runProducer,
  startProducer,
  totalsOf,
  writeLines,
} from './testing/producer-run.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

it('turns what is no alert into dead letters that say why and where, and produces the rest', async () => {
  const here = { topics: await createTestTopics(2, 'producer'), folder: temporaryFolder() };
  const long = Buffer.alloc(2 * 1024 * 1024, 'x');
  const bad: [string, string | Buffer | object][] = [
    ['line-too-long', long],
    ['invalid-utf8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d])],
    ['invalid-json', '{"Type":"MatchedPolicy",'],
    ['not-an-object', '[1, 2]'],
    ['not-an-object', 'null'],
    ['not-an-alert', {}],
    ['not-an-alert', logFileAlert({ type: 'ContainerLog' })],
    ['not-an-alert', { Operation: 'ContainerDeleted' }],
    ['wrong-field-type', feedAlert({ HostPID: 'many' })],
    ['alert-too-large', feedAlert({ Message: 'x'.repeat(300 * 1024) })],
  ];
  const good = [
    feedAlert({ Message: 'host', ContainerID: undefined }),
    feedAlert({ Message: 'future', UpdatedTime: '2099-01-01T00:00:00.000000Z' }),
    feedAlert({ Message: '1970', UpdatedTime: '1970-01-01T00:00:01.000000Z' }),
    feedAlert({ Message: 'no time', UpdatedTime: undefined, Timestamp: undefined }),
    feedAlert({ Message: 'seconds', UpdatedTime: undefined, Timestamp: 1647101470 }),
  ];
  const service = startProducer(here, writeLines(here.folder, [...bad.map(([, line]) => line), ...good]));
  expect((await service.exit()).code).toBe(0);
  expect(totalsOf(service)).toMatchObject({
    linesRead: 15,
    alertsProduced: 5,
    deadLettersProduced: 10,
    guessedTimes: 1,
    alertsLost: 0,
  });

  const letters = await readDeadLetters(here.topics);
  expect(letters.map(({ headers }) => headers['reason'])).toEqual(bad.map(([reason]) => reason));
  expect(letters.map(({ headers }) => headers['line'])).toEqual(bad.map((_, index) => String(index + 1)));
  for (const { headers } of letters)
    expect(headers).toMatchObject({
      source: expect.stringContaining('alerts.jsonl') as string,
      nodeId: NODE_ID,
    });
  expect(letters[0]?.headers).toMatchObject({ size: String(long.length), truncated: 'true' });
  expect(letters[0]?.value.equals(long.subarray(0, 512 * 1024))).toBe(true);
  expect(letters[1]?.value).toEqual(bad[1]?.[1]);
  expect(letters[8]?.headers['detail']).toContain('HostPID');
  for (const [index] of bad.entries())
    expect(service.output).toContain(`alerts.jsonl, line ${index + 1}: dead letter`);

  const alerts = (await readRaw(here.topics)).sort((a, b) => a.sequence - b.sequence);
  expect(alerts.map(({ alert, sequence }) => [sequence, alert?.Message])).toEqual([
    [1, 'host'],
    [2, 'future'],
    [3, '1970'],
    [4, 'no time'],
    [5, 'seconds'],
  ]);
  expect(alerts[0]?.key).toBe('host:node-1');
  const times = alerts.map(({ alert }) => alert?.EventTimeMicros ?? 0);
  expect(times.slice(1, 3)).toEqual([Date.UTC(2099, 0) * 1000, 1_000_000]);
  expect(times[3]).toBeGreaterThan(Date.UTC(2024, 0) * 1000);
  expect(times[4]).toBe(1_647_101_470_000_000);
});

it('counts a flood of bad lines that it does not log one by one', async () => {
  const here = { topics: await createTestTopics(1, 'producer'), folder: temporaryFolder() };
  const lines = Array.from({ length: 3_000 }, (_, index) => `no alert ${index}`);
  expect(await runProducer(here, writeLines(here.folder, lines))).toMatchObject({
    deadLettersProduced: 3_000,
  });
  const letters = await readDeadLetters(here.topics);
  expect(letters.map(({ value }) => value.toString())).toEqual(lines);
});
