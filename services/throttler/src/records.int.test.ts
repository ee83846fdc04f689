// What may lie in the raw topic besides floods of good alerts: tombstones, repeats, alerts of other enforcers, times
// that cannot be, and bytes that are no alerts.

import { makeAlert } from '@alert-throttle/alert';
import { readTopic, uniqueName, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { encodedByFirstRelease, registerSchema, wireValue } from './testing/registry-calls.ts';
import type { RawMessage, Sent } from './testing/raw-feed.ts';
import { Scenario } from './testing/scenario.ts';
import type { ThrottlerRun } from './testing/throttler-run.ts';

const SECOND = 1_000_000;
const KIB = 1024;
/** The partition in which a record waits for a schema that nobody has; the tests in between use the others. */
const WAITING = 5;
const UNKNOWN_SCHEMA = 2_000_000_000;

let scenario: Scenario;
let run: ThrottlerRun;
/** Records that are no alerts, and the reason that their dead letters must give. */
const bad: { readonly record: Sent; readonly reason: string }[] = [];

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 6 });
  run = scenario.start();
  await run.ready(6);
});

afterAll(async () => {
  await run.stop();
  await scenario.close();
});

/** The throttled topic's records of that key, in order, each in a word: what passed by number, the rest by name. */
async function outputOf(key: string): Promise<string[]> {
  const records = (await scenario.throttled()).filter((record) => record.key?.toString() === key);
  return Promise.all(
    records.map(async ({ value }) => {
      if (value === null) return 'tombstone';
      const { Operation, Sequence, Throttle } = await scenario.codec.decode(value);
      return Throttle === null
        ? String(Sequence)
        : `${Operation} ${Throttle.DroppedAlerts} ${Throttle.EndedBy}`;
    }),
  );
}

/** Waits until that many records of the key have come. */
async function outputs(key: string, count: number): Promise<string[]> {
  return waitFor(`${count} records of ${key}`, async () => {
    const output = await outputOf(key);
    return output.length >= count && output;
  });
}

test('given a schema that the registry does not know, then its partition waits, and the others go on', async () => {
  const { feed } = scenario;
  const key = feed.containerIn(WAITING, 0);
  const good = (): RawMessage => feed.message(feed.alert({ ContainerID: key }));
  const value = Buffer.from(good().value ?? '');
  value.writeUInt32BE(UNKNOWN_SCHEMA, 1);
  const [, unknown] = await feed.sendRaw([good(), { ...good(), value }, good()]);
  bad.push({ record: unknown as Sent, reason: 'unknown-schema' });

  for (let partition = 0; partition < WAITING; partition++) {
    const other = feed.containerIn(partition, 9);
    await feed.send([feed.alert({ ContainerID: other })]);
    await outputs(other, 1);
  }
  await outputs(key, 1);
  // Asking again goes on for half a minute: time enough to look.
  await run.says('the registry does not know this schema');
  expect(await outputOf(key)).toHaveLength(1);
  expect(await deadLetters()).toEqual([]);
  expect((await scenario.committed()).get(WAITING)?.offset).toBe(unknown?.offset);
  expect((await run.readyz()).ok).toBe(true);
  await run.until('the lag', async () => ((await run.metric('lag_records', `"${WAITING}"`)) ?? 0) === 2);
});

describe('given the tombstone of a container', () => {
  test('in an interval, then that is reported first, and the container starts from nothing', async () => {
    const { feed } = scenario;
    const ContainerID = feed.containerIn(0, 0);
    const alerts = Array.from({ length: 14 }, () => feed.alert({ ContainerID }));
    const messages = alerts.map((alert) => feed.message(alert));
    const tombstone = { key: ContainerID, value: null, partition: 0 };
    await feed.sendRaw([...messages.slice(0, 10), tombstone, ...messages.slice(10)]);
    const numbers = alerts.map(({ Sequence }) => String(Sequence));
    expect(await outputs(ContainerID, 11)).toEqual([
      ...numbers.slice(0, 3),
      'AlertThreshold 1 ',
      'AlertThresholdEnded 7 container',
      'tombstone',
      ...numbers.slice(10, 13),
      'AlertThreshold 1 ',
      'AlertThresholdEnded 1 expired',
    ]);
  });

  test('then its window is gone from the checkpoint, and one of a container never seen is forwarded', async () => {
    const { feed } = scenario;
    const [seen, unseen] = [feed.containerIn(0, 1), feed.containerIn(0, 2)];
    await feed.send([feed.alert({ ContainerID: seen })]);
    await waitFor('the window', async () => (await scenario.checkpoint(0)).fields.has(`default/${seen}`));
    await feed.tombstone(seen);
    await feed.tombstone(unseen);
    await waitFor('no window', async () => {
      const { fields } = await scenario.checkpoint(0);
      return fields.has('@offset') && !fields.has(`default/${seen}`);
    });
    expect((await outputs(seen, 2)).at(-1)).toBe('tombstone');
    expect(await outputs(unseen, 1)).toEqual(['tombstone']);
  });
});

test('given records that a producer sent twice, then each is decided once', async () => {
  const { feed } = scenario;
  const ContainerID = feed.containerIn(1, 0);
  const repeatsBefore = (await run.metric('repeats_total')) ?? 0;
  const once = [1, 2].map(() => feed.message(feed.alert({ ContainerID })));
  const numbered = { NodeID: 'node-1', BootID: 'a life', Sequence: '7' };
  await feed.sendRaw(once);
  await feed.sendRaw(once);
  await feed.tombstone(ContainerID, numbered);
  await feed.tombstone(ContainerID, numbered);
  const other = feed.containerIn(1, 1);
  // Were repeats counted, they would cross the threshold.
  const more = [1, 2, 3].map(() => feed.message(feed.alert({ ContainerID: other })));
  await feed.sendRaw([...more, ...more, ...more]);
  await waitFor('the decisions', async () => {
    const end = (await scenario.ends()).get(1);
    return (await scenario.committed()).get(1)?.offset === end;
  });
  expect(await outputs(ContainerID, 3)).toHaveLength(3);
  expect(await outputs(other, 3)).toHaveLength(3);
  expect((await run.metric('repeats_total')) ?? 0).toBe(repeatsBefore + 2 + 1 + 6);
  const { fields } = await waitFor('the checkpoint', async () => {
    const stored = await scenario.checkpoint(1);
    return stored.fields.has('@sequence/node-1/a life') && stored;
  });
  expect(fields.get('@sequence/node-1/a life')).toMatch(/^7 seen=/);
});

describe('given times that cannot be', () => {
  const bounds = async (key: string): Promise<{ start: number; end: number; last: number }> => {
    await outputs(key, 5);
    const event = (await scenario.throttledAlerts(key)).find(
      ({ Operation }) => Operation === 'AlertThreshold',
    );
    const raw = await readTopic(scenario.topics.raw);
    const last = Math.max(...raw.filter((one) => one.key?.toString() === key).map((one) => one.timestampMs));
    const { IntervalStartMicros: start = 0, IntervalEndMicros: end = 0 } = event?.Throttle ?? {};
    return { start, end, last: last * 1000 + 999 };
  };

  test('in the future, then the container is silenced from the time of its arrival', async () => {
    const { feed } = scenario;
    const ContainerID = feed.containerIn(2, 0);
    const EventTimeMicros = (Date.now() + 3_600_000) * 1000;
    await feed.send(Array.from({ length: 6 }, () => feed.alert({ ContainerID, EventTimeMicros })));
    const { start, end, last } = await bounds(ContainerID);
    expect([start, end]).toEqual([last, last + 2 * SECOND]);
  });

  test('missing, then the time of the arrival counts', async () => {
    const { feed } = scenario;
    const ContainerID = feed.containerIn(2, 1);
    await feed.send(Array.from({ length: 6 }, () => feed.alert({ ContainerID, EventTimeMicros: 0 })));
    const { start, end, last } = await bounds(ContainerID);
    expect([start, end]).toEqual([last, last + 2 * SECOND]);
  });

  test('in 1970, then they are judged by when they say they happened, and those of today go on', async () => {
    const { feed } = scenario;
    const ContainerID = feed.containerIn(2, 2);
    const old = Array.from({ length: 6 }, (_, i) => feed.alert({ ContainerID, EventTimeMicros: 1 + i }));
    const today = feed.alert({ ContainerID });
    await feed.send([...old, today]);
    const [, , , event] = await outputs(ContainerID, 6).then(() => scenario.throttledAlerts(ContainerID));
    expect(event?.Throttle).toMatchObject({ IntervalStartMicros: 4, IntervalEndMicros: 4 + 2 * SECOND });
    const numbers = old.slice(0, 3).map(({ Sequence }) => String(Sequence));
    expect(await outputOf(ContainerID)).toEqual([
      ...numbers,
      'AlertThreshold 1 ',
      'AlertThresholdEnded 3 expired',
      String(today.Sequence),
    ]);
  });
});

test('given alerts that are not for this throttle, then all pass untouched, in order, between those that are', async () => {
  const { feed } = scenario;
  const ContainerID = feed.containerIn(3, 0);
  const strangers = [
    { Action: 'Block', Enforcer: 'BPFLSM' },
    { Action: 'Audit (Block)', Enforcer: 'AppArmor' },
    { Action: 'Allow', Enforcer: 'eBPF Monitor' },
    { Type: 'SystemEvent', Operation: 'AlertsLost', Action: '', Enforcer: '' },
    { Type: 'SystemEvent', Operation: 'AlertThreshold', Action: '', Enforcer: 'BPFLSM', MaxAlertsPerSec: 2 },
    { Type: 'ContainerLog', Action: 'Audit', Enforcer: 'eBPF Monitor' },
  ];
  const sent = Array.from({ length: 60 }, (_, i) =>
    feed.alert({ ContainerID, ...(i % 2 === 0 ? strangers[(i / 2) % strangers.length] : {}) }),
  );
  const messages = sent.map((alert) => feed.message(alert));
  await feed.sendRaw(messages);
  // 30 strangers, 3 that pass, the crossing and its end.
  await outputs(ContainerID, 35);
  const mine = (await scenario.throttled()).filter(({ key }) => key?.toString() === ContainerID);
  const passed = messages.filter((_, i) => i % 2 === 0 || i < 6).map(({ value }) => value?.toString('hex'));
  const ours = new Set(messages.map(({ value }) => value?.toString('hex')));
  const found = mine.map(({ value }) => value?.toString('hex')).filter((value) => ours.has(value));
  expect(found).toEqual(passed);
  expect(mine).toHaveLength(35);
});

test('given a host alert, then its node is what is throttled', async () => {
  const { feed } = scenario;
  const NodeID = uniqueName('node');
  const key = `host:${NodeID}`;
  const alert = { NodeID, ContainerID: '', Type: 'MatchedHostPolicy' };
  await feed.sendRaw(Array.from({ length: 5 }, () => ({ ...feed.message(feed.alert(alert)), partition: 3 })));
  const output = await outputs(key, 5);
  expect(output.slice(3)).toEqual(['AlertThreshold 1 ', 'AlertThresholdEnded 2 expired']);
});

describe('given a record that is no alert', () => {
  const container = (): string => scenario.feed.containerIn(4, 0);
  const valid = (fields: Parameters<Scenario['feed']['alert']>[0] = {}): RawMessage =>
    scenario.feed.message(scenario.feed.alert({ ContainerID: container(), Action: 'Block', ...fields }));
  /** Sends it between two alerts. */
  const sendBad = async (reason: string, message: Partial<RawMessage>): Promise<void> => {
    const [, record] = await scenario.feed.sendRaw([valid(), { ...valid(), ...message }, valid()]);
    bad.push({ record: record as Sent, reason });
  };

  test('without the magic byte, then it is a dead letter', async () => {
    await sendBad('no-magic-byte', { value: Buffer.from('{"Type":"MatchedPolicy"}') });
    await sendBad('no-magic-byte', { value: Buffer.from([1]) });
  });

  test('cut off anywhere, then it is a dead letter', async () => {
    const value = valid().value ?? Buffer.alloc(0);
    const messages: RawMessage[] = [];
    for (let length = 0; length < value.length; length += length < 16 ? 1 : 13) {
      messages.push({ ...valid(), value: value.subarray(0, length) });
    }
    messages.push({ ...valid(), value: value.subarray(0, value.length - 1) });
    const sent = await scenario.feed.sendRaw([valid(), ...messages, valid()]);
    bad.push(...sent.slice(1, -1).map((record) => ({ record, reason: 'truncated' })));
  });

  test('with bytes after its end, then it is a dead letter', async () => {
    const value = valid().value ?? Buffer.alloc(0);
    await sendBad('trailing-bytes', { value: Buffer.concat([value, Buffer.from([0])]) });
    await sendBad('trailing-bytes', { value: Buffer.concat([value, value]) });
  });

  test('with another key than its container, then it is a dead letter', async () => {
    await sendBad('key-mismatch', { key: scenario.feed.containerIn(4, 1) });
    await sendBad('key-mismatch', { key: '' });
    await sendBad('key-mismatch', { ...valid({ ContainerID: '' }), key: container(), partition: 4 });
  });

  test('without a key, then it is a dead letter', async () => {
    await sendBad('no-key', { key: null });
    await sendBad('no-key', { key: null, value: null });
  });

  test('above 256 KiB, then it is a dead letter, and one of just that passes', async () => {
    const room = 256 * KIB - (valid({ Message: 'x'.repeat(200 * KIB) }).value?.length ?? 0);
    const just = valid({ Message: 'x'.repeat(200 * KIB + room) });
    expect(just.value).toHaveLength(256 * KIB);
    await scenario.feed.sendRaw([just]);
    await sendBad('too-large', valid({ Message: 'x'.repeat(200 * KIB + room + 1) }));
    await sendBad('too-large', valid({ Message: 'x'.repeat(600 * KIB) }));
  });

  test('of a schema that is no alert, then it is a dead letter', async () => {
    const other = {
      type: 'record',
      name: 'Login',
      namespace: 'elsewhere',
      fields: [
        { name: 'ContainerID', type: 'int' },
        { name: 'user', type: 'string' },
      ],
    };
    await sendBad('not-an-alert-schema', { value: wireValue(await registerSchema(other), [2, 2, 65]) });
    await sendBad('not-an-alert-schema', { value: wireValue(await registerSchema('string'), [2, 65]) });
  });

  test('then the one whose schema nobody has is given up at last, and its partition goes on', async () => {
    const key = scenario.feed.containerIn(WAITING, 0);
    await waitFor('the alert after it', async () => (await outputOf(key)).length === 2, {
      timeoutMs: 90_000,
    });
    await waitFor('the dead letters', async () => (await deadLetters()).length >= bad.length);
  });

  test('then each is on the same partition of the dead-letter topic, as it came, with why and from where', async () => {
    const letters = await deadLetters();
    const place = ({ partition, offset }: { partition: number; offset: number }): string =>
      `${partition}/${offset}`;
    expect(letters).toHaveLength(bad.length);
    const found = new Map(
      letters.map((letter) => [
        `${text(letter.headers, 'partition')}/${text(letter.headers, 'offset')}`,
        letter,
      ]),
    );
    for (const { record, reason } of bad) {
      const letter = found.get(place(record));
      expect(letter, place(record)).toBeDefined();
      expect(letter?.partition).toBe(record.partition);
      expect(letter?.key?.toString()).toBe(record.key?.toString());
      const bytes = record.value?.subarray(0, 512 * KIB).toString('hex');
      expect(letter?.value?.toString('hex') === bytes, `the bytes of ${reason}`).toBe(true);
      const headers = letter?.headers ?? {};
      expect({
        reason: text(headers, 'reason'),
        topic: text(headers, 'topic'),
        size: text(headers, 'size'),
        truncated: text(headers, 'truncated'),
      }).toEqual({
        reason,
        topic: scenario.topics.raw,
        size: String(record.value?.length ?? 0),
        truncated: String((record.value?.length ?? 0) > 512 * KIB),
      });
    }
    expect(await run.metric('dead_letters_total')).toBe(bad.length);
  });
});

test('then all of it is what the pure core says, the alerts around bad records included', async () => {
  const places = new Set(bad.map(({ record }) => `${record.partition}/${record.offset}`));
  const isPoison = ({ partition, offset }: { partition: number; offset: number }): boolean =>
    places.has(`${partition}/${offset}`);
  await scenario.agrees({ isPoison });
  await scenario.checkpointsAgree({ isPoison });
  expect(await run.metric('digest_mismatches_total')).toBe(0);
});

test('given alerts of an older released schema, then they are decided, and pass with their bytes', async () => {
  const { feed } = scenario;
  const ContainerID = feed.containerIn(1, 7);
  const value = await encodedByFirstRelease(
    makeAlert({ ...feed.alert({ ContainerID }), Message: 'of version 1' }),
  );
  await feed.sendRaw([{ key: ContainerID, partition: 1, value }]);
  await outputs(ContainerID, 1);
  const [record] = (await scenario.throttled()).filter(({ key }) => key?.toString() === ContainerID);
  expect(record?.value?.toString('hex')).toBe(value.toString('hex'));
});

async function deadLetters(): ReturnType<typeof readTopic> {
  return readTopic(scenario.topics.deadLetter);
}

function text(headers: Readonly<Record<string, Buffer>>, name: string): string | undefined {
  return headers[name]?.toString();
}
