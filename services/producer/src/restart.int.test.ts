import { createTestTopics, waitFor } from '@alert-throttle/test-kit';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { feedAlert } from './testing/kubearmor-json.ts';
import {
  readRaw,
  runProducer,
  startProducer,
  totalsOf,
  withoutRepeats,
  writeLines,
} from './testing/producer-run.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const PARTITIONS = 3;
const TOTAL = 60_000;
const ROUNDS = 8;

/** Alerts of seven containers in turn; the message is the line's number. */
function alerts(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) =>
    feedAlert({ ContainerID: String(index % 7).padStart(64, 'c'), Message: String(index + 1) }),
  );
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

it('killed again and again in the middle of a file, it loses nothing and numbers nothing twice', async () => {
  const here = { topics: await createTestTopics(PARTITIONS, 'producer'), folder: temporaryFolder() };
  const file = writeLines(here.folder, alerts(TOTAL));
  let killed = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const service = startProducer(here, file);
    await service.printed('producing');
    const before = spoolState(here.folder);
    await waitFor('some progress', () => !service.running || spoolState(here.folder) !== before, {
      intervalMs: 5,
    });
    // Anywhere between its first record and its last.
    await new Promise((resume) => setTimeout(resume, round * 13));
    service.kill('SIGKILL');
    if ((await service.exited).signal === null) break;
    killed += 1;
  }
  expect(killed).toBeGreaterThan(0);
  if (killed === ROUNDS)
    expect(await runProducer(here, file)).toMatchObject({ alertsLost: 0, recordsLeftInSpool: 0 });

  const all = await readRaw(here.topics);
  expect(new Set(all.map(({ bootId }) => bootId)).size).toBe(1);
  // The same number is the same alert, however often it was sent.
  const messageOf = new Map<number, string | undefined>();
  for (const { sequence, alert } of all) {
    if (messageOf.has(sequence)) expect(messageOf.get(sequence)).toBe(alert?.Message);
    messageOf.set(sequence, alert?.Message);
  }
  const records = withoutRepeats(all);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const lines = records
      .filter((record) => record.partition === partition)
      .map(({ alert }) => Number(alert?.Message));
    expect(lines).toEqual(lines.toSorted((a, b) => a - b));
  }
  expect(records.map(({ sequence }) => sequence).sort((a, b) => a - b)).toEqual(numbers(TOTAL));
  expect(records.map(({ alert }) => Number(alert?.Message)).sort((a, b) => a - b)).toEqual(numbers(TOTAL));
});

it('goes on where a stopped run left the file, or from its start if told so', async () => {
  const here = { topics: await createTestTopics(1, 'producer'), folder: temporaryFolder() };
  const file = writeLines(here.folder, alerts(5_000));
  const away = {
    env: { KAFKA_BROKERS: '127.0.0.1:1', SHUTDOWN_TIMEOUT_SEC: '0', SPOOL_MAX_BYTES: String(1024 * 1024) },
  };
  const first = startProducer(here, file, away);
  await first.printed('waits until there is room again');
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  const left = Number(totalsOf(first)['recordsLeftInSpool']);
  expect(left).toBeLessThan(5_000);

  const second = startProducer(here, file);
  expect((await second.exit()).code).toBe(0);
  expect(second.output).toContain(`an earlier run stopped after line ${left} of`);
  expect(totalsOf(second)).toMatchObject({
    alertsProduced: 5_000,
    linesRead: 5_000 - left,
    recordsFromEarlierRun: left,
  });
  expect((await readRaw(here.topics)).map(({ alert }) => Number(alert?.Message))).toEqual(numbers(5_000));

  const third = startProducer(here, file, away);
  await third.printed('waits until there is room again');
  await third.stop();
  const inSpool = Number(totalsOf(third)['recordsLeftInSpool']);
  expect(await runProducer(here, file, { args: ['--from-start'] })).toMatchObject({
    linesRead: 5_000,
    alertsProduced: 5_000 + inSpool,
  });
});

/** Changes with every transaction of the spool. */
function spoolState(folder: string): string {
  try {
    const log = readFileSync(join(folder, 'spool', 'spool.db'));
    return `${log.length} ${log.subarray(0, 100).toString('hex')}`;
  } catch {
    return '';
  }
}
