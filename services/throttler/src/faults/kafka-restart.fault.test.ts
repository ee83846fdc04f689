// The broker is restarted, killed, and down for longer than a transaction may last, while alerts come in.

import { setTimeout as sleep } from 'node:timers/promises';

import { faultRounds, OwnKafka } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import { underLoad } from '../testing/under-load.ts';

/** Longer than the transaction timeout and the group's session timeout, both 10 s. */
const LONG_DOWN_MS = 13_000;

describe('given a broker that goes and comes back', () => {
  let kafka: OwnKafka;
  let scenario: Scenario;

  beforeAll(async () => {
    kafka = await OwnKafka.start();
    const { addresses: brokers, replication } = kafka;
    scenario = await Scenario.create({ kafka: { client: kafka.client(), brokers, replication } });
  });
  afterAll(async () => {
    await scenario.close();
    await kafka.close();
  });

  test('then nothing is lost and nothing is doubled', { timeout: 600_000 }, async () => {
    await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
      const { broker } = kafka;
      const back = async (): Promise<void> => {
        await broker.start();
        load.faults += 1;
        await load.worked();
      };
      for (let round = 0; round < faultRounds(1); round++) {
        await sleep(load.random() * 2000);
        await broker.stop();
        await back();
        await sleep(load.random() * 2000);
        await broker.kill();
        await back();
        await broker.stop();
        await sleep(LONG_DOWN_MS);
        await back();
      }
    });
  });
});
