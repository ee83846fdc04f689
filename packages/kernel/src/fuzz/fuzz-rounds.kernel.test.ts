// Random policies and accesses against the programs in a real kernel. FUZZ_GUEST_ROUNDS accesses in one boot.
import { runGuestOrThrow } from '@alert-throttle/guest';
import { expect, it } from 'vitest';
import { roundsOfRun, seedOfRun } from './random.ts';

const ROUNDS = roundsOfRun('FUZZ_GUEST_ROUNDS', 10_000);

it(`the programs in the kernel decide as the matcher, in ${ROUNDS} rounds`, async () => {
  const seed = seedOfRun();
  const { lines } = await runGuestOrThrow({
    kernel: '6.1',
    scenarios: [
      {
        module: 'packages/kernel/scenarios/enforcement/fuzz-rounds.ts',
        args: { seed, rounds: ROUNDS },
      },
    ],
    timeoutMs: 1_700_000,
  });
  const { rounds, refused, alerts } = lines.find(({ name }) => name === 'fuzz')?.data ?? {};
  expect(rounds).toBeGreaterThanOrEqual(ROUNDS);
  expect(Number(refused)).toBeGreaterThan(ROUNDS / 20);
  expect(Number(alerts)).toBeGreaterThan(Number(refused));
}, 1_800_000);
