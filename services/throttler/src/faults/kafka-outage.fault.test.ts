// A broker that is away for longer than any client tries: the process goes on afterwards; or for more than a minute,
// and the process says so, ends, and is started again, as an orchestrator would.

import { setTimeout as sleep } from 'node:timers/promises';

import { OwnKafka, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';
import { underLoad } from '../testing/under-load.ts';

/** All retries of a producer or an admin client take less than half of it. */
const OUTAGE_MS = 40_000;

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

test(
  'given a broker that is away until the throttler gives up, then it and one that does not give up lose nothing',
  { timeout: 400_000 },
  async () => {
    const { broker } = kafka;
    // Of another group; it began after the broker had gone, so that it is patient when the first one is not.
    const other = await scenario.another();
    let patient: ThrottlerRun | undefined;
    await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
      await broker.kill();
      load.faults += 1;
      const health = waitFor('a red health', async () => (await load.run.health()) === 503, {
        timeoutMs: 120_000,
        intervalMs: 50,
      });
      await sleep(OUTAGE_MS);
      expect(load.run.service.running).toBe(true);
      patient = other.start();
      await health;
      expect((await load.run.service.exit(120_000)).code).toBe(1);
      await broker.start();
      expect(await load.restartWhereEnded()).toBe(1);
      await load.worked();
      await patient.ready(other.partitions);
    });
    await other.drained();
    await other.agrees();
    expect(await patient?.stop()).toBe(0);
    expect(await other.problems()).toEqual([]);
    expect(await other.checkpointProblems()).toEqual([]);
  },
);
