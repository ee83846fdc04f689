// Clocks that are wrong, records that come late or all at once, and partitions in which nothing happens any more: no
// container is silenced longer than it should be, and every interval is reported once.

import { setTimeout as sleep } from 'node:timers/promises';

import type { Alert } from '@alert-throttle/alert';
import { faultRounds, tally, uniqueName, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { randomFrom, seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const seed = seedOf('FAULT_SEED');
const random = randomFrom(seed);

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 4, limits: { maxAlertPerSec: 3, throttleSec: 6 } });
});
afterAll(() => scenario.close());

function nowMicros(): number {
  return Date.now() * 1000;
}

/** What the throttler said of a container, in order. */
async function reports(containerId: string): Promise<string[]> {
  const alerts = await scenario.throttledAlerts(containerId);
  return alerts.flatMap(({ Operation, Throttle }) =>
    Throttle === null ? [] : [`${Operation} ${Throttle.DroppedAlerts}${Throttle.Late ? ' late' : ''}`],
  );
}

/** The first that many reports are these. */
async function reported(containerId: string, expected: readonly string[]): Promise<void> {
  const found = await waitFor(`${expected.length} reports`, async () => {
    const all = await reports(containerId);
    return all.length >= expected.length && all;
  });
  expect(found).toEqual(expected);
}

async function healthy(...runs: ThrottlerRun[]): Promise<void> {
  await scenario.drained();
  await scenario.agrees();
  for (const run of runs) {
    expect((await run.metric('digest_mismatches_total')) ?? 0).toBe(0);
    expect(await run.stop()).toBe(0);
  }
  expect(await scenario.problems(), `seed ${seed}`).toEqual([]);
  expect(await scenario.checkpointProblems(), `seed ${seed}`).toEqual([]);
}

describe('given nodes whose clocks are wrong', () => {
  const CLOCKS: readonly (readonly [string, () => number])[] = [
    ['right', () => 0],
    ['an hour ahead', () => HOUR],
    ['an hour behind', () => -HOUR],
    ['back and forth', () => [-HOUR, 0, HOUR][Math.floor(random() * 3)] ?? 0],
    ['a little', () => Math.floor((random() - 0.5) * 3 * SECOND)],
  ];

  test('then each alert is decided as the pure core says, and nobody is silenced into the future', async () => {
    const nodes = CLOCKS.map(([, clock], index) => ({
      clock,
      NodeID: uniqueName('node'),
      ContainerID: scenario.feed.containerIn(index % 4, index),
    }));
    const rounds = 40 * faultRounds(1);
    let sent = 0;
    let run = scenario.start();
    await run.ready(4);
    for (let round = 0; round < rounds; round++) {
      const alerts = nodes.flatMap(({ clock, NodeID, ContainerID }) => {
        const skew = clock();
        const count = random() < 0.3 ? 6 : 1;
        return Array.from({ length: count }, () =>
          scenario.feed.alert({ NodeID, ContainerID, EventTimeMicros: nowMicros() + skew }),
        );
      });
      await scenario.feed.send(alerts);
      sent += alerts.length;
      await sleep(random() * 300);
      if (round % 20 !== 10) continue;
      await run.kill();
      run = scenario.start();
    }
    await scenario.drained();
    await scenario.agrees();

    // All intervals are over: the one whose clock is ahead is heard again, too.
    const heard = nodes.map(({ NodeID, ContainerID, clock }) =>
      scenario.feed.alert({ NodeID, ContainerID, EventTimeMicros: nowMicros() + clock() }),
    );
    await scenario.feed.send(heard);
    await healthy(run);
    const passed = new Set((await scenario.throttledAlerts()).map(({ Sequence }) => Sequence));
    const names = CLOCKS.map(([name]) => name);
    const silenced = names.filter((_, index) => !passed.has(heard[index]?.Sequence ?? 0));
    // A clock that goes back and forth may lie in an interval that its container's own time is still in.
    expect(silenced.filter((name) => name === 'right' || name === 'an hour ahead')).toEqual([]);
    tally({ faults: 4 * rounds, alerts: sent + heard.length });
  });
});

describe('given a node that was cut off', () => {
  test('for ten minutes, then its backlog is judged by when it happened', async () => {
    const run = scenario.start();
    await run.ready(4);
    const ContainerID = scenario.feed.containerIn(0, 20);
    const start = nowMicros() - 600 * SECOND;
    // Ten a second: three pass, the fourth silences it for six seconds.
    const backlog = Array.from({ length: 6000 }, (_, index) =>
      scenario.feed.alert({ ContainerID, EventTimeMicros: start + (index * SECOND) / 10 }),
    );
    await scenario.feed.send(backlog);
    await healthy(run);
    const alerts = await scenario.throttledAlerts(ContainerID);
    const of = (operation: string): Alert[] => alerts.filter(({ Operation }) => Operation === operation);
    // Each interval begins 0.3 s after the one before it has ended.
    expect(of('AlertThreshold')).toHaveLength(Math.ceil((6000 - 3) / 63));
    expect(of('AlertThresholdEnded')).toHaveLength(of('AlertThreshold').length);
    const dropped = of('AlertThresholdEnded').reduce(
      (sum, one) => sum + (one.Throttle?.DroppedAlerts ?? 0),
      0,
    );
    const passed = alerts.filter(({ Throttle }) => Throttle === null).length;
    expect(passed + dropped).toBe(backlog.length);
    tally({ faults: 1, alerts: backlog.length });
  });

  test('for a moment, then what comes after the report is dropped and reported as late, also over a kill', async () => {
    let run = scenario.start();
    await run.ready(4);
    const ContainerID = scenario.feed.containerIn(1, 21);
    const start = nowMicros();
    const flood = (count: number): Alert[] =>
      Array.from({ length: count }, (_, index) =>
        scenario.feed.alert({ ContainerID, EventTimeMicros: start + index }),
      );
    await scenario.feed.send(flood(8));
    const expected = ['AlertThreshold 1', 'AlertThresholdEnded 5'];
    await reported(ContainerID, expected);
    const rounds = faultRounds(2);
    for (let round = 0; round < rounds; round++) {
      await scenario.feed.send(flood(4 + round));
      if (round % 2 === 0) {
        await scenario.drained();
        await run.kill();
        run = scenario.start();
      }
      expected.push(`AlertThresholdEnded ${4 + round} late`);
      await reported(ContainerID, expected);
    }
    await healthy(run);
    await reported(ContainerID, expected);
    tally({ faults: rounds, alerts: 8 + rounds * 4 });
  });
});

describe('given partitions in which nothing comes any more', () => {
  /** One open interval in each partition; returns their containers. */
  const flood = async (index: number): Promise<string[]> => {
    const containers = [0, 1, 2, 3].map((partition) => scenario.feed.containerIn(partition, index));
    await scenario.feed.send(
      containers.flatMap((ContainerID) =>
        Array.from({ length: 7 }, () => scenario.feed.alert({ ContainerID })),
      ),
    );
    await scenario.drained();
    return containers;
  };
  const allReported = async (containers: readonly string[]): Promise<void> => {
    for (const container of containers) {
      await reported(container, ['AlertThreshold 1', 'AlertThresholdEnded 4']);
    }
  };
  const owns = async (run: ThrottlerRun, partitions: number): Promise<void> => {
    await run.until(`${partitions} partitions`, async () => {
      const ready = await run.readyz();
      return ready.ok && ready.partitions.length === partitions;
    });
  };

  test('and a second instance that joins and is killed, then each interval is reported once', async () => {
    const first = scenario.start();
    await first.ready(4);
    const rounds = faultRounds(1);
    for (let round = 0; round < rounds; round++) {
      const before = await flood(40 + 2 * round);
      const second = scenario.start();
      await owns(second, 2);
      await owns(first, 2);
      await allReported(before);
      const again = await flood(41 + 2 * round);
      await second.kill();
      await owns(first, 4);
      await allReported(again);
    }
    await healthy(first);
    tally({ faults: 2 * rounds, alerts: 56 * rounds });
  });

  test('and a kill of the only one, then each interval is reported once', async () => {
    const first = scenario.start();
    await first.ready(4);
    const containers = await flood(30);
    await first.kill();
    await scenario.deleteCheckpoints([0, 1]);
    const second = scenario.start();
    await allReported(containers);
    await second.kill();
    const third = scenario.start();
    await third.ready(4);
    await healthy(third);
    await allReported(containers);
    tally({ faults: 3, alerts: 28 });
  });
});
