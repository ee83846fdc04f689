// Limits that change while the throttler runs, and where a group without offsets begins.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Alert } from '@alert-throttle/alert';
import { waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { identityOf } from './testing/oracle.ts';
import { Scenario } from './testing/scenario.ts';
import { ThrottlerRun } from './testing/throttler-run.ts';

describe('given a settings file that changes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-limits-'));
  const file = join(folder, 'throttler.yaml');
  let scenario: Scenario;
  let run: ThrottlerRun;
  let flooding: string;
  let container: (index: number) => string;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 2 });
    writeFileSync(file, 'maxAlertPerSec: 5\nthrottleSec: 600\n');
    run = scenario.start({
      CONFIG_FILE: file,
      ALERT_THROTTLING: undefined,
      MAX_ALERT_PER_SEC: undefined,
      THROTTLE_SEC: undefined,
    });
    container = (index) => scenario.feed.containerIn(index % 2, index);
    flooding = container(0);
    await run.ready(2);
  });
  afterAll(async () => {
    await run.stop();
    await scenario.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const flood = async (ContainerID: string, alerts: number): Promise<void> => {
    const events = Array.from({ length: alerts }, () => scenario.feed.alert({ ContainerID }));
    await scenario.feed.send(events);
    await scenario.drained();
  };
  const eventsOf = async (ContainerID: string): Promise<Alert[]> =>
    (await scenario.throttledAlerts(ContainerID)).filter(({ Throttle }) => Throttle !== null);
  const passedOf = async (ContainerID: string): Promise<number> =>
    (await scenario.throttledAlerts(ContainerID)).filter(({ Throttle }) => Throttle === null).length;
  const inForce = async (version: string): Promise<void> => {
    await run.until(`limits ${version}`, async () => {
      const ready = await run.readyz();
      return ready.ok && ready.limits === version && ready.partitions.every((p) => p.limits === version);
    });
  };

  test('then those at the start are in force, and stamped into AlertThreshold', async () => {
    await inForce('on-5-600');
    await flood(flooding, 10);
    const [event] = await eventsOf(flooding);
    expect(event).toMatchObject({
      Operation: 'AlertThreshold',
      MaxAlertsPerSec: 5,
      DroppingAlertsInterval: 600,
      Throttle: { LimitsVersion: 'on-5-600' },
    });
  });

  test('and the new limits are valid, then each partition commits them, and an open interval keeps its end', async () => {
    const before = await scenario.committed();
    writeFileSync(file, 'maxAlertPerSec: 2\nthrottleSec: 300\n');
    await inForce('on-2-300');
    for (const [partition, { offset, metadata }] of await scenario.committed()) {
      expect(offset).toBe(before.get(partition)?.offset);
      expect(metadata.limits.map(({ from, maxAlertPerSec }) => [from, maxAlertPerSec])).toEqual([
        [0, 5],
        [offset, 2],
      ]);
    }
    await flood(flooding, 5);
    expect(await eventsOf(flooding)).toHaveLength(1);
    expect(await passedOf(flooding)).toBe(5);
    await flood(container(1), 10);
    expect(await passedOf(container(1))).toBe(2);
    expect(await eventsOf(container(1))).toMatchObject([
      { MaxAlertsPerSec: 2, DroppingAlertsInterval: 300, Throttle: { LimitsVersion: 'on-2-300' } },
    ]);
  });

  test.each([
    ['not YAML', 'maxAlertPerSec: [1\n', file],
    ['an unknown key', 'maxAlertsPerSecond: 1\n', 'maxAlertsPerSecond'],
    ['maxAlertPerSec: 0', 'maxAlertPerSec: 0\n', 'maxAlertPerSec'],
    ['throttleSec: -1', 'maxAlertPerSec: 9\nthrottleSec: -1\n', 'throttleSec'],
  ])(
    'and it holds %s, then that is refused by name, and the last good limits stay',
    async (_, text, name) => {
      const committed = await scenario.committed();
      const refusals = (): number =>
        run.logged('the last good settings stay in force').filter(({ msg }) => msg.includes(name)).length;
      const before = refusals();
      writeFileSync(file, text);
      await run.until(`the refusal of ${name}`, () => Promise.resolve(refusals() > before));
      const ready = await run.readyz();
      expect(ready).toMatchObject({ ok: true, limits: 'on-2-300' });
      expect(ready.partitions.map(({ limits }) => limits)).toEqual(['on-2-300', 'on-2-300']);
      for (const [partition, { metadata }] of await scenario.committed()) {
        expect(metadata.limits).toEqual(committed.get(partition)?.metadata.limits);
      }
    },
  );

  test('and throttling is turned off, then open intervals are reported, and everything passes', async () => {
    writeFileSync(file, 'alertThrottling: false\nmaxAlertPerSec: 2\nthrottleSec: 300\n');
    await inForce('off-2-300');
    const [, end] = await waitFor('the report', async () => {
      const events = await eventsOf(flooding);
      return events.length === 2 && events;
    });
    expect(end).toMatchObject({
      Operation: 'AlertThresholdEnded',
      MaxAlertsPerSec: 5,
      Throttle: { EndedBy: 'limits', DroppedAlerts: 10, Late: false },
    });
    // It ended early: stamped with the time of the container's last alert.
    expect(end?.EventTimeMicros).toBeLessThan(end?.Throttle?.IntervalEndMicros ?? 0);
    await waitFor('empty checkpoints', async () => {
      const stored = await Promise.all([scenario.checkpoint(0), scenario.checkpoint(1)]);
      return stored.every(
        ({ fields, throttled }) =>
          throttled.size === 0 && ![...fields.keys()].some((field) => field.startsWith('default/')),
      );
    });
    const passed = await passedOf(flooding);
    await flood(flooding, 20);
    await flood(container(2), 20);
    expect([(await passedOf(flooding)) - passed, await passedOf(container(2))]).toEqual([20, 20]);
  });

  test('and it is turned on again, then every container starts from nothing', async () => {
    writeFileSync(file, 'maxAlertPerSec: 2\nthrottleSec: 300\n');
    await inForce('on-2-300');
    const passed = await passedOf(flooding);
    await flood(flooding, 4);
    expect((await passedOf(flooding)) - passed).toBe(2);
    const events = await eventsOf(flooding);
    expect(events.map(({ Operation }) => Operation)).toEqual([
      'AlertThreshold',
      'AlertThresholdEnded',
      'AlertThreshold',
    ]);
  });

  test('then all of it is what the pure core says under the limits of the commits, also after a kill', async () => {
    const changes = await scenario.limitsChanges();
    await scenario.agrees({ changes, endMicros: () => 0 });
    await scenario.checkpointsAgree({ changes });
    await run.kill();
    await scenario.deleteCheckpoints();
    run = scenario.start({
      CONFIG_FILE: file,
      ALERT_THROTTLING: undefined,
      MAX_ALERT_PER_SEC: undefined,
      THROTTLE_SEC: undefined,
    });
    await run.ready(2);
    // Rebuilt from the log, with each change of limits at its offset.
    expect(await run.metric('claims_total', 'how="log"')).toBe(2);
    expect(await run.metric('digest_mismatches_total')).toBe(0);
    await flood(flooding, 3);
    await scenario.agrees({ changes, endMicros: () => 0 });
  });
});

describe('given settings that are wrong from the start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-limits-'));
  const file = join(folder, 'throttler.yaml');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    ['a file that is not YAML', 'maxAlertPerSec: [1\n', {}, 'throttler.yaml'],
    ['an unknown key', 'maxAlertsPerSecond: 1\n', {}, 'maxAlertsPerSecond'],
    ['maxAlertPerSec: 0', 'maxAlertPerSec: 0\n', {}, 'maxAlertPerSec'],
    ['throttleSec: -1', 'throttleSec: -1\n', {}, 'throttleSec'],
    ['MAX_ALERT_PER_SEC=0', '', { MAX_ALERT_PER_SEC: '0' }, 'MAX_ALERT_PER_SEC'],
  ])('with %s, then it ends with 78 and names what is wrong', async (_, text, env, name) => {
    writeFileSync(file, text);
    const run = new ThrottlerRun({ CONFIG_FILE: file, ...env });
    expect((await run.service.exit()).code).toBe(78);
    expect(run.service.stderr).toContain(name);
    // Nothing was begun.
    expect(run.log).toEqual([]);
  });
});

describe('given a group without committed offsets', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 2, limits: { throttleSec: 1 } });
    const run = scenario.start();
    await run.ready(2);
    await scenario.feed.send(floodIn(scenario, [0, 1]));
    await scenario.agrees();
    await run.stop();
  });
  afterAll(() => scenario.close());

  test('and a throttled topic that is not empty, then it refuses, and names both choices', async () => {
    const group = scenario.sameTopics();
    const run = group.start();
    expect((await run.service.exit()).code).toBe(78);
    const refusal = run.logged('START_FROM=earliest');
    expect(refusal.length).toBeGreaterThan(0);
    expect(refusal[0]?.msg).toContain('START_FROM=latest');
    expect((await group.committed()).size).toBe(0);
    expect(await scenario.problems()).toEqual([]);
  });

  test('and START_FROM=latest, then only new alerts are decided', async () => {
    const group = scenario.sameTopics();
    const before = await scenario.ends(scenario.topics.throttled);
    const ends = await scenario.ends();
    const run = group.start({ START_FROM: 'latest' });
    await run.ready(2);
    for (const [partition, { offset }] of await group.committed()) expect(offset).toBe(ends.get(partition));
    const sent = floodIn(scenario, [2, 3]);
    await group.feed.send(sent);
    const added = await waitFor('the reports', async () => {
      const records = await scenario.throttled(before);
      return records.length === 10 && scenario.decoded(records);
    });
    const passed = added.filter(({ Throttle }) => Throttle === null).map(identityOf);
    const first = [...sent.slice(0, 3), ...sent.slice(10, 13)];
    expect(passed.sort()).toEqual(first.map(identityOf).sort());
    await run.stop();
  });

  test('and START_FROM=earliest, then the whole log is decided once more', async () => {
    const group = scenario.sameTopics();
    const before = await scenario.ends(scenario.topics.throttled);
    const run = group.start({ START_FROM: 'earliest' });
    const added = await waitFor('the reports', async () => {
      const records = await scenario.throttled(before);
      return records.length === 20 && scenario.decoded(records);
    });
    expect(
      added
        .map(({ Operation }) => Operation)
        .filter((name) => name !== 'Process')
        .sort(),
    ).toEqual([
      ...Array.from({ length: 4 }, () => 'AlertThreshold'),
      ...Array.from({ length: 4 }, () => 'AlertThresholdEnded'),
    ]);
    expect(await run.stop()).toBe(0);
  });
});

/** Ten alerts at once of each of two containers. */
function floodIn(scenario: Scenario, indexes: readonly number[]): Alert[] {
  return indexes.flatMap((index) => {
    const ContainerID = scenario.feed.containerIn(index % 2, index);
    return Array.from({ length: 10 }, () => scenario.feed.alert({ ContainerID }));
  });
}
