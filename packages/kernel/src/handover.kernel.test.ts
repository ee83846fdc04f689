// Throttle maps of other sizes that take over under fire, with a fixture that makes races likely; the real programs do
// it in throttle.kernel.test.ts.
import { join } from 'node:path';
import {
  addon,
  bpfObject,
  BUILD,
  describeMissing,
  findToolchain,
  make,
  ROOT,
} from '@alert-throttle/native/build';
import { KERNELS, runGuestOrThrow, type GuestLine } from '@alert-throttle/guest';
import { beforeAll, describe, expect, it } from 'vitest';
import { fullest } from './testing/windows.ts';

const SIZES = [140, 120, 400, 110, 300, 2000];

/** What the scenario sets: alerts in a second, and the rest of the interval. */
const MOST = 3;

interface Cell {
  readonly name: string;
  readonly refused: number;
  readonly matched?: number;
  readonly dropped?: number;
  readonly alerts: readonly string[];
  readonly crossings: readonly (readonly [start: string, end: string])[];
  readonly reports: readonly (readonly [start: string, dropped: number, crossings: number])[];
}

interface Sums {
  readonly matched: string;
  readonly emitted: string;
  readonly lost: string;
  readonly dropped: string;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

beforeAll(async () => {
  const { found, missing } = findToolchain();
  if (found === undefined) throw new Error(describeMissing(missing));
  await make(addon(found));
  await make(
    bpfObject(found, join(ROOT, 'native/test/fixture/handover.bpf.c'), join(BUILD, 'handover.bpf.o')),
  );
});

describe.each(KERNELS)('kernel %s', (kernel) => {
  let lines: readonly GuestLine[] = [];
  const report = (name: string): Readonly<Record<string, unknown>> =>
    lines.find((line) => line.name === name)?.data ?? {};
  const cells = (profile: number): readonly Cell[] =>
    (report('containers')['cells'] as readonly Cell[]).filter(({ name }) =>
      name.startsWith(`hand${profile}`),
    );

  beforeAll(async () => {
    const scenarios = [{ module: 'packages/kernel/scenarios/throttle/handover.ts', args: { sizes: SIZES } }];
    ({ lines } = await runGuestOrThrow({ kernel, scenarios, timeoutMs: 850_000 }));
  });

  it('makes the maps as large as they are wanted, and leaves a window alone that nobody fires at', () => {
    const rounds = report('rounds')['rounds'] as readonly object[];
    expect(rounds).toEqual(
      SIZES.map((windows) => ({
        ...{ windows, notes: [], adopted: false, silent: true },
        live: expect.any(Number) as number,
      })),
    );
  });

  it('opens nothing, and raises each alert once, in whichever set', () => {
    const { refused, opened, alerts, missing, types, overflowed, lateLosses, ...rest } = report('sums');
    const { matched, emitted, lost, dropped } = rest as unknown as Sums;
    expect({ opened, overflowed }).toEqual({ opened: 0, overflowed: '0' });
    expect(Number(matched)).toBe(refused);
    expect(Number(matched)).toBe(Number(emitted) + Number(lost) + Number(dropped));
    expect(Number(emitted)).toBe(alerts);
    // What came too late for its set has a number that is missing, and is announced.
    expect([missing, lateLosses]).toEqual([Number(lost), Number(lost)]);
    expect(types).toEqual(expect.arrayContaining(['alert', 'threshold', 'thresholdEnded']));
  });

  it('carries every window over, count by count', () => {
    const lost = Number((report('sums') as unknown as Sums).lost);
    const throttled = [...cells(0), ...cells(2)];
    expect(throttled.length).toBeGreaterThan(3);
    const short = throttled.map(({ refused, matched = 0 }) => refused - matched);
    expect(Math.min(...short)).toBe(0);
    expect(sum(short)).toBeLessThanOrEqual(lost);
    for (const { name, matched = 0, dropped = 0, alerts, reports } of throttled)
      expect({ name, alerts: alerts.length, reported: sum(reports.map(([, count]) => count)) }).toEqual({
        name,
        alerts: matched - dropped,
        reported: dropped,
      });
    for (const { refused, alerts } of cells(1)) expect(refused - alerts.length).toBeLessThanOrEqual(lost);
  });

  it('lets no more than the limit through between one interval and the next, and announces each crossing once', () => {
    for (const { name, alerts, crossings, reports } of cells(0)) {
      const starts = crossings.map(([start]) => start);
      expect([name, new Set(starts).size]).toEqual([name, starts.length]);
      expect([name, reports.map(([start]) => start)]).toEqual([name, starts]);
      const times = alerts.map(BigInt).sort((a, b) => Number(a - b));
      let after = 0n;
      for (const [start] of crossings) {
        const inWindow = fullest(times.filter((at) => at > after && at <= BigInt(start)));
        expect([name, inWindow]).toEqual([name, MOST]);
        after = BigInt(start);
      }
      expect(fullest(times.filter((at) => at > after))).toBeLessThanOrEqual(MOST);
    }
  });
});
