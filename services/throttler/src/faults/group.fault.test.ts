// Instances that come and go: each partition is one instance's at a time, and the output is as if there were one.

import { tally } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { feedFloods } from '../testing/feed-floods.ts';
import type { Fault } from '../testing/fault.ts';
import { FaultyRun } from '../testing/faulty-run.ts';
import { randomFrom, seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import { shared, worked } from '../testing/sharing.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

const PARTITIONS = 6;
const HANGS: Fault = { point: 'offsets-sent', passage: 2, signal: 'SIGSTOP', armedLater: true };
const seed = seedOf('FAULT_SEED');

let scenario: Scenario;
const feeding = new AbortController();
let fed: Promise<number>;

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: PARTITIONS });
  fed = feedFloods(scenario, randomFrom(seed), feeding.signal);
});

afterAll(async () => {
  feeding.abort();
  await fed;
  await scenario.close();
});

async function rebuiltFromLog(...runs: ThrottlerRun[]): Promise<number> {
  const counts = await Promise.all(runs.map((run) => run.metric('claims_total', 'how="log"')));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

test(
  'given instances that come and go, then the output is as if there were one',
  { timeout: 240_000 },
  async () => {
    const first = scenario.start();
    await shared(scenario, first);
    await worked(scenario);

    // A second and a third one share the partitions.
    const second = scenario.start();
    await shared(scenario, first, second);
    await worked(scenario);
    const third = new FaultyRun(scenario, HANGS);
    await shared(scenario, first, second, third);
    await worked(scenario);

    // One stops: the others go on from its checkpoints.
    const before = await rebuiltFromLog(first, third);
    expect(await second.stop()).toBe(0);
    await shared(scenario, first, third);
    await worked(scenario);
    expect(await rebuiltFromLog(first, third)).toBe(before);

    // One hangs in a transaction until the other has its partitions: back again, it is fenced, and then a member as
    // before.
    third.arm();
    await third.struck();
    await shared(scenario, first);
    await worked(scenario);
    expect(await third.goesOn(), `committed by the one that hung, seed ${seed}`).toBe(false);
    await shared(scenario, first, third);
    await worked(scenario);

    // One is killed: the last one takes over.
    await third.kill();
    await shared(scenario, first);
    await worked(scenario);

    feeding.abort();
    const alerts = await fed;
    expect(alerts).toBeGreaterThan(100);
    await scenario.drained();
    await scenario.agrees();
    expect(await first.metric('digest_mismatches_total')).toBe(0);
    expect(await first.stop()).toBe(0);
    expect(await scenario.problems(), `seed ${seed}`).toEqual([]);
    expect(await scenario.checkpointProblems(), `seed ${seed}`).toEqual([]);
    tally({ faults: 2, alerts });
  },
);
