// Three brokers, each record on at least two: one is killed while alerts come in, and comes back; then another one.

import { setTimeout as sleep } from 'node:timers/promises';

import { faultRounds, OwnKafka } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import { underLoad } from '../testing/under-load.ts';

let kafka: OwnKafka;
let scenario: Scenario;

beforeAll(async () => {
  kafka = await OwnKafka.start({ brokers: 3 });
  const { addresses: brokers, replication } = kafka;
  scenario = await Scenario.create({ kafka: { client: kafka.client(), brokers, replication } });
});
afterAll(async () => {
  await scenario.close();
  await kafka.close();
});

test(
  'given three brokers that are killed one after the other, then nothing is lost and nothing is doubled',
  { timeout: 400_000 },
  async () => {
    const { raw, throttled, deadLetter } = scenario.topics;
    const { topics } = await scenario.admin.fetchTopicMetadata({
      topics: ['__consumer_offsets', '__transaction_state', raw, throttled, deadLetter],
    });
    const replicas = topics.flatMap(({ partitions }) => partitions.map((one) => one.replicas.length));
    expect(new Set(replicas)).toEqual(new Set([3]));
    await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
      for (let kill = 0; kill < faultRounds(2); kill++) {
        const broker = kafka.brokers[Math.floor(load.random() * 3 + kill) % 3];
        await sleep(load.random() * 1000);
        await broker?.kill();
        load.faults += 1;
        await load.worked();
        await broker?.start();
        await kafka.complete();
        await load.worked();
      }
    });
  },
);
