// Why a claim fences before it reads the committed offset. kafkajs would initialise the transactional id with the
// first commit anyway; but an owner that hangs before its commit, and wakes up after its successor has read the
// offset and folded from there, would commit what the successor is about to commit as well.

import { tally, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { FaultyRun } from '../testing/faulty-run.ts';
import { allAgrees, feedMixed } from '../testing/mixed-feed.ts';
import { randomFrom, seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';

/** The broker is not to end the transaction on its own while others take their time. */
const LONG_TRANSACTION_MS = 120_000;

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 1 });
});
afterAll(() => scenario.close());

test(
  "given an owner that wakes up between its successor's claim and first commit, then it cannot commit any more",
  { timeout: 240_000 },
  async () => {
    const seed = seedOf('FAULT_SEED');
    const feeding = new AbortController();
    const fed = feedMixed(scenario, randomFrom(seed), feeding.signal);
    const zombie = new FaultyRun(scenario, {
      point: 'offsets-sent',
      passage: 3,
      signal: 'SIGSTOP',
      transactionTimeoutMs: LONG_TRANSACTION_MS,
    });
    try {
      await zombie.struck();
    } finally {
      // What it has not committed is there for its successor, and nothing else is needed.
      feeding.abort();
      await fed;
    }
    const heir = new FaultyRun(scenario, { point: 'folded', passage: 1, signal: 'SIGSTOP' });
    await heir.struck();
    expect(await zombie.goesOn(), `committed by the zombie, seed ${seed}`).toBe(false);
    await heir.goesOn();
    await scenario.drained();
    await waitFor('members that answer', async () => {
      const all = await Promise.all([zombie, heir].map((run) => run.readyz()));
      return all.every(({ ok }) => ok) && all.flatMap(({ partitions }) => partitions).length === 1;
    });
    expect(await zombie.stop()).toBe(0);
    expect(await heir.stop()).toBe(0);
    tally({ faults: 2, alerts: await allAgrees(scenario, `seed ${seed}`) });
  },
);
