// Transactions that were confirmed and never ended, as a broker leaves them that is killed at the wrong moment: their
// records hang in the throttled topic, their offsets in the group. Here the broker is never told that there was a
// transaction; it then takes records and offsets only if it does not ask.

import { readTopic, type ReadRecord, tally, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { ApiName } from '../testing/kafka-wire.ts';
import { ProxiedKafka } from '../testing/proxied-kafka.ts';
import type { Scenario } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

/** What the transaction's coordinator learns of it. */
const OF_COORDINATOR = new Set<ApiName | undefined>(['addPartitionsToTxn', 'addOffsetsToTxn', 'endTxn']);
const ALERTS = 5;
/** So long that no report comes between what a test sends. */
const LIMITS = { maxAlertPerSec: 3, throttleSec: 10 };

let proxied: ProxiedKafka;

beforeAll(async () => {
  proxied = await ProxiedKafka.start({
    partitions: 1,
    limits: LIMITS,
    properties: { 'transaction.partition.verification.enable': false },
  });
});
afterAll(() => proxied.close());
beforeEach(() => (proxied.proxy.faults = 0));

/**
 * The coordinator learns of no transaction any more, or not of the next few. Returns how many have ended, and whether
 * none is under way.
 */
function hang(times = Infinity): () => { readonly ended: number; readonly between: boolean } {
  let [ended, between] = [0, true];
  proxied.proxy.judge = ({ api }) => {
    if (ended >= times || !OF_COORDINATOR.has(api)) return 'passes';
    between = api === 'endTxn';
    if (between) ended += 1;
    return 'feigned';
  };
  return () => ({ ended, between });
}

/** Alerts of as many containers, all of which pass. */
async function feedPassing({ feed }: Scenario): Promise<void> {
  const containers = Array.from({ length: ALERTS }, (_, index) => feed.containerIn(0, index));
  await feed.send(containers.map((ContainerID) => feed.alert({ ContainerID })));
}

/** A clean process goes on; then all must be as the pure core says, and nothing may hang any more. */
async function allAgrees(scenario: Scenario, heir: ThrottlerRun): Promise<void> {
  await heir.ready();
  await feedPassing(scenario);
  await scenario.drained();
  await scenario.agrees();
  expect(await heir.stop()).toBe(0);
  expect(await scenario.problems()).toEqual([]);
  expect(await scenario.checkpointProblems()).toEqual([]);
  const [end] = await scenario.admin.fetchTopicOffsets(scenario.topics.throttled);
  const last = (await everything(scenario)).at(-1);
  // kafkajs tells up to where a read_committed consumer can read.
  expect(Number(end?.high)).toBeGreaterThan(last?.offset ?? 0);
}

function everything({ topics, kafka }: Scenario): Promise<ReadRecord[]> {
  return readTopic(topics.throttled, { kafka, isolation: 'read_uncommitted' });
}

/** A throttler that is killed, and of what it decided the last hangs, which is returned. */
async function leaveHanging(scenario: Scenario): Promise<readonly ReadRecord[]> {
  const run = scenario.start();
  await feedPassing(scenario);
  await scenario.drained();
  const before = await scenario.committed();
  const seen = await everything(scenario);
  const hanging = hang();
  await feedPassing(scenario);
  const hung = await waitFor('outputs that hang', async () => {
    const more = (await everything(scenario)).slice(seen.length);
    return more.length === ALERTS && hanging().between && more;
  });
  await run.kill();
  expect(await scenario.committed()).toEqual(before);
  expect(await scenario.throttled()).toEqual(seen);
  return hung;
}

test('given outputs and offsets that hang, when they are decided again, then they are seen once', async () => {
  const { proxy, scenario } = proxied;
  const hung = await leaveHanging(scenario);
  proxy.judge = () => 'passes';
  await allAgrees(scenario, scenario.start());
  const visible = new Set((await scenario.throttled()).map(({ offset }) => offset));
  expect(hung.filter(({ offset }) => visible.has(offset))).toEqual([]);
  tally({ faults: proxy.faults, alerts: 3 * ALERTS });
});

test('given that the end which a claim gives them is forgotten, too, then it is claimed again', async () => {
  const { proxy } = proxied;
  const scenario = await proxied.scenario.another();
  await leaveHanging(scenario);
  const forgotten = hang(1);
  const heir = scenario.start();
  await heir.says('claiming failed');
  expect(forgotten().ended).toBe(1);
  await allAgrees(scenario, heir);
  tally({ faults: proxy.faults, alerts: 3 * ALERTS });
});

test('given outputs that hang, when a commit without outputs follows, then they are not left behind', async () => {
  const { proxy } = proxied;
  const scenario = await proxied.scenario.another();
  const { feed } = scenario;
  const run = scenario.start();
  await scenario.drained();
  await run.ready();
  const seen = hang(1);
  const flood = { ContainerID: feed.containerIn(0, ALERTS), EventTimeMicros: Date.now() * 1000 };
  // Three pass, and the fourth begins an interval.
  await feed.send(Array.from({ length: 4 }, () => feed.alert(flood)));
  await waitFor('a transaction that hangs', () => seen().ended === 1);
  await feed.send(Array.from({ length: 3 }, () => feed.alert(flood)));
  await scenario.drained();
  await run.kill();
  await allAgrees(scenario, scenario.start());
  expect(run.logged('the claim on this partition is lost')).toHaveLength(1);
  tally({ faults: proxy.faults, alerts: 7 + ALERTS });
});
