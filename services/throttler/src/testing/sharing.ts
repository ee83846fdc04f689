// Several instances of one group: who has which partitions, and whether all of them get on.

import { waitFor } from '@alert-throttle/test-kit';

import type { Scenario } from './scenario.ts';
import type { ThrottlerRun } from './throttler-run.ts';

/** Waits until these instances share all partitions evenly, each live at its own. */
export async function shared({ partitions }: Scenario, ...runs: ThrottlerRun[]): Promise<void> {
  const wanted = Array.from({ length: partitions }, (_, partition) => partition);
  await waitFor(`${runs.length} instances to share the partitions`, async () => {
    const ready = await Promise.all(runs.map((run) => run.readyz()));
    const claimed = ready.flatMap((one) => one.partitions.map(({ partition }) => partition));
    const even = ready.every((one) => one.ok && one.partitions.length === partitions / runs.length);
    return even && claimed.sort((a, b) => a - b).join() === wanted.join();
  });
}

/** Waits until something more was decided in every partition. */
export async function worked(scenario: Scenario): Promise<void> {
  const before = await scenario.committed();
  await waitFor('progress in every partition', async () => {
    const now = await scenario.committed();
    return [...now].every(([partition, { offset }]) => offset > (before.get(partition)?.offset ?? 0));
  });
}
