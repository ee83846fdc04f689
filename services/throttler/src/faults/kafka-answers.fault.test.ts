// Connections that end before a request of a transaction arrives, before its answer, or in the middle of the answer:
// nobody can tell then whether it was carried out.

import { faultRounds, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, test } from 'vitest';

import type { Fate } from '../testing/kafka-proxy.ts';
import { API, type ApiName } from '../testing/kafka-wire.ts';
import { ProxiedKafka } from '../testing/proxied-kafka.ts';
import { seedOf } from '../testing/random.ts';
import { underLoad } from '../testing/under-load.ts';

const FATES: readonly Fate[] = ['cut', 'lost', 'torn'];

let proxied: ProxiedKafka;

beforeAll(async () => {
  proxied = await ProxiedKafka.start();
});
afterAll(() => proxied.close());

test(
  'given connections that end in any step of a transaction, then nothing is lost and nothing is doubled',
  { timeout: 400_000 },
  async () => {
    const { proxy, scenario } = proxied;
    await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
      /** Ends the connection at the next request of that kind. */
      const end = async (api: ApiName, fate: Fate): Promise<void> => {
        let met = false;
        proxy.judge = (request) => {
          if (met) return 'passes';
          met = request.api === api;
          if (met) return fate;
          // A producer id is asked for at a claim only, so a claim must be lost.
          return api === 'initProducerId' && request.api === 'endTxn' ? 'lost' : 'passes';
        };
        await waitFor(`a request of ${api} to meet its fate`, () => met);
      };
      for (let round = 0; round < faultRounds(1); round++) {
        for (const api of Object.keys(API) as ApiName[]) {
          for (const fate of FATES) {
            await end(api, fate);
            await load.worked();
          }
        }
      }
      load.faults += proxy.faults;
    });
  },
);
