// Many faults in little time. A successor waits until the group has noticed its predecessor's death, so several
// groups over the same raw topic, the lanes, do that at the same time; within a lane fault follows fault.

import { type FaultPoint } from './fault.ts';
import { FaultyRun } from './faulty-run.ts';
import { allAgrees, feedMixed } from './mixed-feed.ts';
import { randomFrom } from './random.ts';
import type { Scenario } from './scenario.ts';

export interface LaneFault {
  readonly point: FaultPoint;
  /** By default one of the first few. */
  readonly passage?: number;
  /** What is done to the checkpoints before: a full replacement comes only where there are none, or useless ones. */
  readonly checkpoints?: 'deleted' | 'outdated';
}

const MAX_PASSAGE = 4;
const MAX_AFTER_MS = 8;

export async function lanesOf(scenario: Scenario, count: number): Promise<Scenario[]> {
  const others = Array.from({ length: count - 1 }, () => scenario.another());
  return [scenario, ...(await Promise.all(others))];
}

/** Kills a process at each point, lane by lane; the output must be as if there had been one process all the time. */
export async function killAtEach(
  lanes: readonly (readonly [lane: Scenario, faults: readonly LaneFault[]])[],
  seed: number,
): Promise<{ faults: number; alerts: number }> {
  const feeding = new AbortController();
  const [[first] = []] = lanes;
  if (first === undefined) throw new Error('no lanes');
  const fed = feedMixed(first, randomFrom(seed), feeding.signal);
  let faults = 0;
  const strike = async (lane: Scenario, planned: readonly LaneFault[], index: number): Promise<void> => {
    const random = randomFrom(seed + 1 + index);
    for (const { point, passage = 1 + Math.floor(random() * MAX_PASSAGE), checkpoints } of planned) {
      if (checkpoints === 'deleted') await lane.deleteCheckpoints();
      if (checkpoints === 'outdated') await lane.outdateCheckpoints();
      const afterMs = Math.floor(random() * MAX_AFTER_MS);
      await new FaultyRun(lane, { point, passage, afterMs, signal: 'SIGKILL' }).struck();
      faults += 1;
    }
  };
  try {
    await Promise.all(lanes.map(([lane, planned], index) => strike(lane, planned, index)));
  } finally {
    feeding.abort();
    await fed;
  }
  const compared = await Promise.all(lanes.map(([lane]) => allAgrees(lane, `seed ${seed}`)));
  return { faults, alerts: compared.reduce((sum, count) => sum + count, 0) };
}
