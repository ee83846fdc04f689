// A schema registry that is away or slow: a start waits for it and says so; a throttler that runs needs it only for
// schemas that it has not seen yet.

import { makeAlert } from '@alert-throttle/alert';
import { tally, waitFor } from '@alert-throttle/test-kit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { BrokenRegistry } from '../testing/broken-registry.ts';
import { encodedByStranger } from '../testing/registry-calls.ts';
import { Scenario } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

const LONG = { timeout: 180_000 };
/** Per partition; the limit is 3. */
const FLOOD = 6;

let scenario: Scenario;
let registry: BrokenRegistry;

beforeEach(async () => {
  scenario = await Scenario.create({ partitions: 2 });
  registry = await BrokenRegistry.start();
});
afterEach(async () => {
  await scenario.close();
  await registry.close();
});

const start = (): ThrottlerRun => scenario.start({ SCHEMA_REGISTRY_URL: registry.url });

/** A flood of another container in each of the two partitions: some pass, one AlertThreshold, one report. */
async function flood(index: number): Promise<number> {
  const { feed } = scenario;
  const containers = [0, 1].map((partition) => feed.containerIn(partition, index));
  const alerts = containers.flatMap((ContainerID) =>
    Array.from({ length: FLOOD }, () => feed.alert({ ContainerID })),
  );
  await feed.send(alerts);
  return alerts.length;
}

async function saysThatItWaits(run: ThrottlerRun): Promise<void> {
  const line = await run.says('the schema registry does not answer; waiting for it');
  expect(JSON.stringify(line)).toContain(registry.url);
  expect((await run.readyz()).ok).toBe(false);
  expect(await run.health()).toBe(200);
}

async function settled(run: ThrottlerRun): Promise<void> {
  await scenario.agrees();
  await scenario.checkpointsAgree();
  expect(await run.metric('dead_letters_total')).toBeFalsy();
  expect(await run.metric('claims_lost_total')).toBe(0);
  expect(await run.stop()).toBe(0);
  expect(await scenario.problems()).toEqual([]);
  expect(await scenario.checkpointProblems()).toEqual([]);
}

describe('given a registry that is away', () => {
  test('at the start, later, and at the start after a kill, then only starts wait for it', LONG, async () => {
    await registry.goAway();
    const first = start();
    let alerts = await flood(0);
    await saysThatItWaits(first);
    expect((await scenario.committed()).size).toBe(0);
    await registry.comeBack();
    await first.ready(2);
    await scenario.drained();

    await registry.goAway();
    alerts += await flood(1);
    await scenario.drained();
    // Not only what came in: also what the throttler itself has to say.
    await scenario.agrees();
    const own = await scenario.throttledAlerts(scenario.feed.containerIn(1, 1));
    expect(own.slice(3).map(({ Operation }) => Operation)).toEqual(['AlertThreshold', 'AlertThresholdEnded']);
    expect((await first.readyz()).ok).toBe(true);

    const before = await scenario.committed();
    await first.kill();
    alerts += await flood(2);
    const second = start();
    await saysThatItWaits(second);
    expect(await scenario.committed()).toEqual(before);
    await registry.comeBack();
    await second.ready(2);
    await scenario.drained();
    await settled(second);
    tally({ faults: 4, alerts });
  });
});

/** What a registry may do instead of answering, and how it is put right. */
const ILLS: readonly [string, () => Promise<void>, () => Promise<void>][] = [
  [
    'answers 500',
    () => Promise.resolve(void (registry.failWith = 500)),
    () => Promise.resolve(void (registry.failWith = undefined)),
  ],
  [
    'is so slow that it seems to hang',
    () => Promise.resolve(void (registry.hangs = true)),
    () => Promise.resolve(void (registry.hangs = false)),
  ],
  ['refuses connections', () => registry.goAway(), () => registry.comeBack()],
];

describe.each(ILLS)('given a registry that %s', (_name, fallIll, getWell) => {
  test(
    'then a start waits, and later only the partition that needs it, without a dead letter',
    LONG,
    async () => {
      await fallIll();
      const run = start();
      await saysThatItWaits(run);
      await waitFor('another attempt', () => run.logged('the schema registry does not answer').length > 1);
      await getWell();
      await run.ready(2);
      let alerts = await flood(0);
      await scenario.drained();

      const { feed } = scenario;
      const [held, other] = [feed.containerIn(0, 1), feed.containerIn(1, 1)];
      const value = await encodedByStranger(makeAlert(feed.alert({ ContainerID: held })));
      await fallIll();
      const toldBefore = run.log.length;
      const [stranger] = await feed.sendRaw([{ key: held, partition: 0, value }]);
      alerts += 1 + (await flood(1));
      await run.until('several attempts', () => {
        const told = run.log.slice(toldBefore).filter(({ msg }) => msg.includes('registry does not answer'));
        return Promise.resolve(told.length >= 2);
      });
      await waitFor(
        'the other partition',
        async () => (await scenario.throttledAlerts(other)).length >= 4 + 1,
      );
      expect(await scenario.throttledAlerts(held)).toEqual([]);
      expect((await scenario.committed()).get(0)?.offset).toBe(stranger?.offset);
      expect((await run.readyz()).ok).toBe(true);
      await getWell();
      await scenario.drained();
      await settled(run);
      tally({ faults: 2, alerts });
    },
  );
});
