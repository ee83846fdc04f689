// Schemas that come and go in mid run: a newer version that nobody here was built with, and an id that the registry
// denies.

import { readTopic, tally, waitFor } from '@alert-throttle/test-kit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { BrokenRegistry } from '../testing/broken-registry.ts';
import { NextVersion } from '../testing/registry-calls.ts';
import type { RawMessage } from '../testing/raw-feed.ts';
import { Scenario } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

const LONG = { timeout: 240_000 };

let scenario: Scenario;
let registry: BrokenRegistry;
let run: ThrottlerRun;

beforeEach(async () => {
  scenario = await Scenario.create({ partitions: 2 });
  registry = await BrokenRegistry.start();
});
afterEach(async () => {
  await run.kill();
  await scenario.close();
  await registry.close();
});

const begin = async (): Promise<ThrottlerRun> => {
  const begun = scenario.start({ SCHEMA_REGISTRY_URL: registry.url });
  await begun.ready(2);
  return begun;
};

/** Alerts of a container, every other one by the newer version. */
function mixed(next: NextVersion, partition: number, index: number, count: number): RawMessage[] {
  const { feed } = scenario;
  const ContainerID = feed.containerIn(partition, index);
  return Array.from({ length: count }, (_, i) => {
    const alert = feed.alert({ ContainerID });
    const value = next.encoded(alert, `field of ${i}`);
    return i % 2 === 0 ? { key: ContainerID, partition, value } : feed.message(alert);
  });
}

describe('given a version of the schema that is newer than the throttler', () => {
  test(
    'then its alerts are decided with the others and pass as they came, also in a rebuild',
    LONG,
    async () => {
      const { feed } = scenario;
      run = await begin();
      await feed.send([0, 1].map((partition) => feed.alert({ ContainerID: feed.containerIn(partition, 0) })));
      await scenario.drained();

      const next = await NextVersion.register(scenario.topics.raw);
      const messages = [0, 1].flatMap((partition) => mixed(next, partition, 1, 8));
      await feed.sendRaw(messages);
      await scenario.drained();
      await scenario.agrees();
      for (const partition of [0, 1]) {
        const key = feed.containerIn(partition, 1);
        const came = messages.filter((message) => message.key === key).map(({ value }) => value);
        const passed = (await scenario.throttled()).filter((record) => record.key?.toString() === key);
        // Three pass; of the two events, the first is of a crossing that an alert of the older version made.
        expect(passed.slice(0, 3).map(({ value }) => value)).toEqual(came.slice(0, 3));
        const events = await scenario.decoded(passed.slice(3));
        expect(events.map(({ Throttle }) => Throttle?.DroppedAlerts)).toEqual([1, 5]);
      }

      await run.kill();
      await scenario.deleteCheckpoints();
      const more = [0, 1].flatMap((partition) => mixed(next, partition, 2, 7));
      await feed.sendRaw(more);
      run = await begin();
      expect(await run.metric('claims_total', 'how="log"')).toBe(2);
      await scenario.drained();
      await scenario.agrees();
      await scenario.checkpointsAgree();
      expect(await run.metric('digest_mismatches_total')).toBe(0);
      expect(await run.metric('dead_letters_total')).toBeFalsy();
      expect(await run.stop()).toBe(0);
      expect(await scenario.problems()).toEqual([]);
      expect(await scenario.checkpointProblems()).toEqual([]);
      tally({ faults: 1, alerts: 2 + messages.length + more.length });
    },
  );

  test(
    'and the registry away when it is first seen, then its alerts wait and are decided then',
    LONG,
    async () => {
      run = await begin();
      const next = await NextVersion.register(scenario.topics.raw);
      await registry.goAway();
      const messages = mixed(next, 0, 1, 8);
      const [first] = await scenario.feed.sendRaw(messages);
      await run.says('the schema registry does not answer');
      // The same for a throttler that is killed in front of it: a start needs the registry, and a fold the schema.
      await run.kill();
      run = scenario.start({ SCHEMA_REGISTRY_URL: registry.url });
      await run.says('the schema registry does not answer');
      expect((await scenario.committed()).get(0)?.offset).toBe(first?.offset);
      await registry.comeBack();
      await scenario.drained();
      await scenario.agrees();
      await scenario.checkpointsAgree();
      expect(await run.metric('dead_letters_total')).toBeFalsy();
      expect(await run.stop()).toBe(0);
      tally({ faults: 2, alerts: messages.length });
    },
  );
});

describe('given a registry that denies an id', () => {
  test(
    'for half a minute, then its records are dead letters, also while it answers 500 later',
    LONG,
    async () => {
      const { feed } = scenario;
      run = await begin();
      const denied = await NextVersion.register(scenario.topics.raw);
      registry.denied.add(denied.schemaId);
      const key = feed.containerIn(0, 0);
      const bad = (): RawMessage => ({
        key,
        partition: 0,
        value: denied.encoded(feed.alert({ ContainerID: key }), ''),
      });
      const good = (): RawMessage => feed.message(feed.alert({ ContainerID: key }));
      const letters = async (): Promise<string[]> =>
        (await readTopic(scenario.topics.deadLetter)).map(({ headers }) => String(headers['offset']));

      const sent = await feed.sendRaw([good(), bad(), good()]);
      await run.says('the registry does not know this schema');
      expect(await letters()).toEqual([]);
      await scenario.drained(120_000);
      expect(await letters()).toEqual([String(sent[1]?.offset)]);

      // Found unknown, and nobody to ask: it is no reason to wait a second time.
      registry.failWith = 500;
      sent.push(...(await feed.sendRaw([good(), bad(), good()])));
      await scenario.drained();
      const places = [sent[1]?.offset, sent[4]?.offset];
      expect(await letters()).toEqual(places.map(String));

      const isPoison = ({ partition, offset }: { partition: number; offset: number }): boolean =>
        partition === 0 && places.includes(offset);
      await scenario.agrees({ isPoison });
      await scenario.checkpointsAgree({ isPoison });
      await waitFor('the count', async () => (await run.metric('dead_letters_total')) === 2);
      expect(await run.stop()).toBe(0);
      tally({ faults: 2, alerts: sent.length });
    },
  );
});
