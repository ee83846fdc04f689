// The rows of the claim table that speak of a checkpoint which is not the committed state, and of a log whose start
// is gone: whatever is found, the output stays what the pure core says, and what cannot be known is said.
// The other rows: limits.int.test.ts (no committed offset), topics.int.test.ts (topics, gap, another topic).

import { setTimeout as sleep } from 'node:timers/promises';

import { type Alert, makeAlert } from '@alert-throttle/alert';
import { tally } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { BrokenRegistry } from '../testing/broken-registry.ts';
import { freePort } from '../testing/own-redis.ts';
import { encodedByStranger } from '../testing/registry-calls.ts';
import { commitText, committedText, storeCheckpoint } from '../testing/rewind.ts';
import { Scenario, type StoredCheckpoint } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

/** Longer than a test: intervals stay open over all claims. */
const LIMITS = { throttleSec: 600 };

/** So many alerts at once of each of three containers. */
async function flood(scenario: Scenario, alerts: number): Promise<Alert[]> {
  const sent = [0, 1, 2].flatMap((index) => {
    const ContainerID = scenario.feed.containerIn(0, index);
    return Array.from({ length: alerts }, () => scenario.feed.alert({ ContainerID }));
  });
  await scenario.feed.send(sent);
  return sent;
}

function changed(
  { fields, throttled }: StoredCheckpoint,
  ...entries: readonly (readonly [string, string])[]
): StoredCheckpoint {
  return { fields: new Map([...fields, ...entries]), throttled };
}

/** In requests that the broker takes. */
async function sendAll({ feed }: Scenario, alerts: readonly Alert[]): Promise<void> {
  for (let from = 0; from < alerts.length; from += 500) await feed.send(alerts.slice(from, from + 500));
}

/** How a claim of the group's one partition came about. */
async function claims(run: ThrottlerRun, how: string): Promise<number> {
  return (await run.metric('claims_total', `how="${how}"`)) ?? 0;
}

describe('given a checkpoint that is not the state of the committed offset', () => {
  let scenario: Scenario;
  /** Of a state that is committed, but not the one before the last. */
  let early: StoredCheckpoint;
  let late: StoredCheckpoint;
  let sent = 0;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 1, limits: LIMITS });
    const run = scenario.start();
    await run.ready();
    sent += (await flood(scenario, 5)).length;
    await scenario.drained();
    await scenario.checkpointsAgree();
    early = await scenario.checkpoint(0);
    sent += (await flood(scenario, 5)).length;
    await scenario.drained();
    expect(await run.stop()).toBe(0);
    late = await scenario.checkpoint(0);
  });
  afterAll(() => scenario.close());

  /** Claims, decides some more, and stops; the output must be what the pure core says. */
  const goesOn = async (run: ThrottlerRun, mismatches = 0): Promise<void> => {
    await run.ready();
    sent += (await flood(scenario, 2)).length;
    await scenario.drained();
    await scenario.agrees({ endMicros: () => 0 });
    expect((await run.metric('digest_mismatches_total')) ?? 0).toBe(mismatches);
    expect(await run.stop()).toBe(0);
    expect(await scenario.checkpointProblems()).toEqual([]);
    tally({ faults: 1, alerts: sent });
  };

  test('but of an earlier one, then what is between is folded', async () => {
    await storeCheckpoint(scenario, early);
    const run = scenario.start();
    await run.ready();
    expect([await claims(run, 'checkpoint'), await claims(run, 'log')]).toEqual([1, 0]);
    const [line] = run.logged('rebuilding the state');
    expect([line?.['from'], line?.['to']]).toEqual(
      [early, late].map(({ fields }) => Number(fields.get('@offset'))),
    );
    await goesOn(run);
  });

  test.each([
    [
      'of another version',
      (now: StoredCheckpoint) => changed(now, ['@version', '999']),
      'of another version',
    ],
    [
      'damaged',
      (now: StoredCheckpoint) =>
        changed(
          now,
          ...[...now.fields.keys()]
            .filter((name) => name.startsWith('default/'))
            .map((name) => [name, '{'] as const),
        ),
      'is damaged',
    ],
    [
      'without one of its windows',
      ({ fields, throttled }: StoredCheckpoint) => {
        const lost = [...fields.keys()].find((name) => name.startsWith('default/'));
        return { fields: new Map([...fields].filter(([name]) => name !== lost)), throttled };
      },
      'is damaged',
    ],
    ['without an offset', (now: StoredCheckpoint) => changed(now, ['@offset', 'x']), 'is damaged'],
  ])('but %s, then that is said, and the log is folded from its start', async (_, spoil, says) => {
    await storeCheckpoint(scenario, spoil(await scenario.checkpoint(0)));
    const run = scenario.start();
    await run.says(says);
    await run.ready();
    expect([await claims(run, 'checkpoint'), await claims(run, 'log')]).toEqual([0, 1]);
    await goesOn(run);
  });

  test('but missing, then the log is folded from its start', async () => {
    await scenario.deleteCheckpoints();
    const run = scenario.start();
    await run.ready();
    expect(await claims(run, 'log')).toBe(1);
    expect(run.logged('rebuilding the state')[0]).toMatchObject({ from: 0, checkpoint: null });
    await goesOn(run);
  });

  test('but of a state whose digest is right and which is another one, then it is discarded', async () => {
    // Whole, and of an offset before the committed one, but not what the log says.
    const now = await scenario.checkpoint(0);
    const offset = Number(now.fields.get('@offset'));
    await storeCheckpoint(scenario, changed(early, ['@offset', String(offset - 1)]));
    const run = scenario.start();
    await run.until('the alarm', () =>
      Promise.resolve(
        run.log.some((line) =>
          JSON.stringify(line).includes('does not fit its digest: folding from the start of the log'),
        ),
      ),
    );
    await run.ready();
    expect([await claims(run, 'checkpoint'), await claims(run, 'log')]).toEqual([0, 1]);
    await goesOn(run, 1);
  });

  test('as Redis is away, then the log is folded from its start, and DEGRADED is said', async () => {
    const away = scenario.withRedis(`redis://127.0.0.1:${await freePort()}`);
    const run = away.start();
    await run.ready();
    await run.says('DEGRADED');
    expect(await claims(run, 'log')).toBe(1);
    expect(await run.metric('redis_degraded')).toBe(1);
    sent += (await flood(scenario, 2)).length;
    await scenario.drained();
    await scenario.agrees({ endMicros: () => 0 });
    expect(await run.stop()).toBe(0);
    tally({ faults: 1, alerts: sent });
  });
});

describe('given a committed offset that was taken back, with its metadata', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 1, limits: LIMITS });
  });
  afterAll(() => scenario.close());

  test('then a checkpoint that is ahead of it is not used', async () => {
    const first = scenario.start();
    await first.ready();
    await flood(scenario, 5);
    await scenario.drained();
    expect(await first.stop()).toBe(0);
    const before = await committedText(scenario);
    const emitted = await scenario.ends(scenario.topics.throttled);

    const second = scenario.start();
    await second.ready();
    const more = await flood(scenario, 4);
    const strangers = Array.from({ length: 4 }, () =>
      scenario.feed.alert({ ContainerID: scenario.feed.containerIn(0, 3) }),
    );
    await scenario.feed.send(strangers);
    await scenario.drained();
    expect(await second.stop()).toBe(0);
    const once = await scenario.throttled(emitted);
    const stored = await scenario.checkpoint(0);
    expect(Number(stored.fields.get('@offset'))).toBeGreaterThan(Number(before.offset));
    await commitText(scenario, before);
    const again = await scenario.ends(scenario.topics.throttled);

    const third = scenario.start();
    await third.ready();
    await scenario.drained();
    expect([await claims(third, 'checkpoint'), await claims(third, 'log')]).toEqual([0, 1]);
    expect((await third.metric('digest_mismatches_total')) ?? 0).toBe(0);
    expect(await third.stop()).toBe(0);
    // The same records give the same output once more: the state was that of the offset, not the checkpoint's.
    const value = ({ key, value: bytes }: (typeof once)[number]): string =>
      `${String(key)} ${bytes?.toString('hex') ?? ''}`;
    expect((await scenario.throttled(again)).map(value)).toEqual(once.map(value));
    expect(once).toHaveLength(4);
    tally({ faults: 1, alerts: more.length + strangers.length });
  });
});

describe('given a log whose start was deleted', () => {
  let scenario: Scenario;
  let sent = 0;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 1, limits: LIMITS });
    const run = scenario.start();
    await run.ready();
    sent += (await flood(scenario, 5)).length;
    await scenario.drained();
    expect(await run.stop()).toBe(0);
  });
  afterAll(() => scenario.close());

  const deleteBefore = async (offset: number): Promise<void> => {
    const partitions = [{ partition: 0, offset: String(offset) }];
    await scenario.admin.deleteTopicRecords({ topic: scenario.topics.raw, partitions });
  };
  /** Everything that passes in three containers which are throttled: nothing. */
  const passed = async (): Promise<number> =>
    (await scenario.throttledAlerts()).filter(({ Throttle }) => Throttle === null).length;

  test('and the checkpoint is of the committed offset, then the windows live on', async () => {
    const { offset } = await committedText(scenario);
    await deleteBefore(Number(offset));
    const before = await passed();
    const run = scenario.start();
    await run.ready();
    expect(await claims(run, 'checkpoint')).toBe(1);
    sent += (await flood(scenario, 3)).length;
    await scenario.drained();
    expect(await passed()).toBe(before);
    expect((await run.metric('digest_mismatches_total')) ?? 0).toBe(0);
    expect(await run.stop()).toBe(0);
    tally({ faults: 1, alerts: sent });
  });

  test('and the checkpoint begins before it, then it is not used, the digest is an alarm, and it goes on', async () => {
    const early = await scenario.checkpoint(0);
    const busy = scenario.start();
    await busy.ready();
    sent += (await flood(scenario, 3)).length;
    await scenario.drained();
    expect(await busy.stop()).toBe(0);
    const { offset } = await committedText(scenario);
    await deleteBefore(Number(offset) - 4);
    await storeCheckpoint(scenario, early);

    const run = scenario.start();
    const line = await run.says('does not fit its digest either; going on with it');
    expect(line.level).toBe('error');
    await run.ready();
    expect([await claims(run, 'checkpoint'), await claims(run, 'log')]).toEqual([0, 1]);
    expect(await run.metric('digest_mismatches_total')).toBe(1);
    expect(run.logged('rebuilding the state')[0]).toMatchObject({
      from: Number(offset) - 4,
      checkpoint: null,
    });
    // It decides, and its checkpoint is whole again.
    const before = await passed();
    sent += (await flood(scenario, 4)).length;
    await scenario.drained();
    expect(await passed()).toBeGreaterThan(before);
    expect(await run.stop()).toBe(0);
    const next = scenario.start();
    await next.ready();
    expect(await claims(next, 'checkpoint')).toBe(1);
    expect((await next.metric('digest_mismatches_total')) ?? 0).toBe(0);
    expect(await next.stop()).toBe(0);
    tally({ faults: 2, alerts: sent });
  });

  test('and the committed offset lies before it, then the loss is part of the first transaction, once', async () => {
    const { offset } = await committedText(scenario);
    const lost = await flood(scenario, 2);
    await deleteBefore(Number(offset) + lost.length);
    const before = await scenario.ends(scenario.topics.throttled);
    // Killed as soon as it stands there: the loss and the new offset are both there or neither is.
    for (let kill = 0; kill < 3; kill++) {
      const killed = scenario.start();
      await killed.says('records are lost').catch(() => undefined);
      await killed.kill();
      const announced = (await scenario.throttled(before)).length;
      const at = Number((await committedText(scenario)).offset);
      expect([0, 1]).toContain(announced);
      expect(at).toBe(Number(offset) + (announced === 1 ? lost.length : 0));
      if (announced === 1) break;
    }
    const run = scenario.start();
    await run.ready();
    await scenario.drained();
    const [event, ...others] = await scenario.decoded(await scenario.throttled(before));
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      Type: 'SystemEvent',
      Operation: 'AlertsLost',
      Lost: { LostAlerts: lost.length, First: Number(offset), Last: Number(offset) + lost.length - 1 },
    });
    expect(await run.stop()).toBe(0);
    tally({ faults: 4, alerts: sent });
  });
});

describe('given a log that takes long to fold', () => {
  /** Several fetches of 1 MiB. */
  const ALERTS = 6000;
  let scenario: Scenario;
  let registry: BrokenRegistry;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 1, limits: LIMITS });
    registry = await BrokenRegistry.start();
  });
  afterAll(async () => {
    await scenario.close();
    await registry.close();
  });

  test('then what is left of it is in the log, the metric and /readyz', async () => {
    const { feed } = scenario;
    const ContainerID = feed.containerIn(0, 0);
    const half = Array.from({ length: ALERTS / 2 }, () =>
      feed.alert({ ContainerID, Message: 'x'.repeat(1000) }),
    );
    const value = await encodedByStranger(makeAlert(feed.alert({ ContainerID })));
    await sendAll(scenario, half);
    await feed.sendRaw([{ key: ContainerID, partition: 0, value }]);
    const others = half.map(({ Sequence, ...alert }) => ({ ...alert, Sequence: Sequence + ALERTS }));
    await sendAll(scenario, others);
    const first = scenario.start();
    await first.ready();
    await scenario.drained();
    expect(await first.stop()).toBe(0);
    await scenario.deleteCheckpoints();

    // In the middle it needs a schema, and does not get it until we looked.
    registry.failOn = new RegExp(`/schemas/ids/${value.readUInt32BE(1)}\\b`);
    registry.failWith = 500;
    const run = scenario.start({ SCHEMA_REGISTRY_URL: registry.url });
    const ready = await run.until('the rebuild', async () => {
      const now = await run.readyz();
      return now.partitions[0]?.position === half.length && now;
    });
    expect(ready.ok).toBe(false);
    expect(ready.partitions).toMatchObject([
      { phase: 'rebuilding', recordsLeft: half.length + 1, secondsLeft: expect.any(Number) as number },
    ]);
    await run.until(
      'the metric',
      async () => ((await run.metric('rebuild_records_left')) ?? 0) > half.length,
    );
    // Said every five seconds.
    await sleep(5500);
    registry.failWith = undefined;
    await run.ready();
    const lines = run.logged('rebuilding the state');
    expect(lines[0]).toMatchObject({ from: 0, to: ALERTS + 1, checkpoint: null });
    // A process that took long to start also says that it has folded nothing so far.
    const progress = lines.find((line) => Number(line['recordsLeft']) > 0 && line['position'] !== 0);
    expect(progress).toMatchObject({ secondsLeft: expect.any(Number) as number });
    expect(await run.metric('rebuild_records_left')).toBe(0);
    expect((await run.metric('digest_mismatches_total')) ?? 0).toBe(0);
    await scenario.agrees({ endMicros: () => 0 });
    expect(await run.stop()).toBe(0);
    tally({ faults: 1, alerts: ALERTS + 1 });
  });
});
