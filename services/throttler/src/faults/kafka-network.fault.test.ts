// The network between the throttler and its broker: connections cut and torn at any moment, answers lost, delays, and
// silence for longer than requests wait.

import { setTimeout as sleep } from 'node:timers/promises';

import { faultRounds, OwnKafka, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { type Fate, KafkaProxy, type Weather } from '../testing/kafka-proxy.ts';
import { API, type ApiName } from '../testing/kafka-wire.ts';
import { seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import { underLoad } from '../testing/under-load.ts';

const CUTS = 15;
const CUT_WITHIN_MS = 1000;
/** Longer than the throttler waits for an answer (10 s), and longer than a transaction may last. */
const SILENCE_MS = 13_000;
const BROKEN: readonly Fate[] = ['lost', 'torn', 'cut'];

describe('given a network that breaks', () => {
  let proxy: KafkaProxy;
  let kafka: OwnKafka;
  let scenario: Scenario;

  beforeAll(async () => {
    proxy = await KafkaProxy.start();
    kafka = await OwnKafka.start({ proxies: [proxy.port] });
    proxy.target = kafka.broker.proxiedAddress;
    const { replication } = kafka;
    scenario = await Scenario.create({
      kafka: { client: kafka.client(), brokers: [proxy.address], replication },
    });
  });
  afterAll(async () => {
    await proxy.close();
    await scenario.close();
    await kafka.close();
  });

  test('and all connections are cut again and again, then nothing is lost or doubled', async () => {
    await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
      for (let cut = 0; cut < faultRounds(CUTS); cut++) {
        await sleep(load.random() * CUT_WITHIN_MS);
        if (proxy.cutAll() > 0) load.faults += 1;
      }
      await load.worked();
      // The same with frames on their way.
      proxy.delayMs = () => load.random() * 20;
      for (let cut = 0; cut < faultRounds(CUTS); cut++) {
        await sleep(load.random() * CUT_WITHIN_MS);
        if (proxy.cutAll() > 0) load.faults += 1;
      }
      await load.worked();
      proxy.delayMs = () => 0;
    });
  });

  test.each(Object.keys(API) as ApiName[])(
    'and a connection ends before or in the answer to %s, then nothing is lost or doubled',
    async (api) => {
      await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
        for (const fate of BROKEN) {
          for (let round = 0; round < faultRounds(2); round++) {
            const { faults } = proxy;
            let armed = true;
            proxy.judge = (request) => {
              if (!armed || request.api !== api) return 'passes';
              armed = false;
              return fate;
            };
            // A producer id is asked for only at a claim.
            if (api === 'initProducerId') load.faults += Math.min(1, proxy.cutAll());
            await waitFor(`${api} to be ${JSON.stringify(fate)}`, () => proxy.faults > faults);
            load.faults += 1;
            await load.worked();
          }
        }
      });
    },
  );

  test.each<Weather>(['swallowing', 'holding'])(
    'and a proxy that is %s everything for longer than requests wait, then nothing is lost or doubled',
    async (weather) => {
      await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
        for (let round = 0; round < faultRounds(1); round++) {
          await sleep(load.random() * 1000);
          proxy.weather = weather;
          await sleep(SILENCE_MS);
          proxy.weather = 'fair';
          load.faults += 1;
          await load.worked();
        }
      });
    },
  );
});
