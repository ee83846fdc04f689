// The network between the throttler and its broker: connections cut at any moment, also with delays, connections that
// go silent for ever, and silence for longer than requests wait.

import { setTimeout as sleep } from 'node:timers/promises';

import { faultRounds } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, test } from 'vitest';

import { ProxiedKafka } from '../testing/proxied-kafka.ts';
import { seedOf } from '../testing/random.ts';
import { underLoad } from '../testing/under-load.ts';

const CUTS = 10;
const CUT_WITHIN_MS = 800;
const DELAY_MS = 20;
/** Longer than the throttler waits for an answer, and longer than a transaction may last; both are 10 s. */
const SILENCE_MS = 12_000;

let proxied: ProxiedKafka;

beforeAll(async () => {
  proxied = await ProxiedKafka.start();
});
afterAll(() => proxied.close());

test(
  'given a network that cuts, delays and goes silent, then nothing is lost and nothing is doubled',
  { timeout: 400_000 },
  async () => {
    const { proxy, scenario } = proxied;
    await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
      for (const delayMs of [0, DELAY_MS]) {
        proxy.delayMs = () => load.random() * delayMs;
        for (let cut = 0; cut < faultRounds(CUTS); cut++) {
          await sleep(load.random() * CUT_WITHIN_MS);
          if (proxy.cutAll() > 0) load.faults += 1;
        }
        await load.worked();
      }
      proxy.delayMs = () => 0;
      for (let round = 0; round < faultRounds(1); round++) {
        load.faults += Math.min(1, proxy.deafen());
        await load.worked();
        // Held requests reach the broker when their claim is long gone.
        for (const weather of ['swallowing', 'holding'] as const) {
          await sleep(load.random() * 1000);
          proxy.weather = weather;
          await sleep(SILENCE_MS);
          proxy.weather = 'fair';
          load.faults += 1;
          await load.worked();
        }
      }
    });
  },
);
