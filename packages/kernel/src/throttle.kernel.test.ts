// The throttle in a kernel, where it is hardest: rings and maps that are full, readers that sleep, containers, policies,
// limits and programs that change under fire, and a crowd. What scenarios saw is judged here.
import { join } from 'node:path';
import { bpfObject, BUILD, describeMissing, findToolchain, make, ROOT } from '@alert-throttle/native/build';
import { beforeAll, describe, expect, it } from 'vitest';
import { KERNELS, runGuestOrThrow, type GuestLine } from '@alert-throttle/guest';
import { fullest, mostInForce, type Change } from './testing/windows.ts';

const SCENARIOS = 'packages/kernel/scenarios/throttle';

/** A crowd as large as a large node's; fewer while something else is looked at. */
const CROWD = Number(process.env['THROTTLE_CONTAINERS'] ?? 5000);

type Data = Readonly<Record<string, unknown>>;

interface Sums {
  readonly matched: number;
  readonly emitted: number;
  readonly lost: number;
  readonly dropped: number;
}

interface Threshold {
  readonly type: string;
  readonly start: string;
  readonly end: string;
  readonly limits: { readonly maxAlertPerSec: number; readonly throttleSec: number };
  readonly dropped: number;
  readonly endedBy: string;
  readonly crossings: number;
}

const balanced = ({ matched, emitted, lost, dropped }: Sums): boolean => matched === emitted + lost + dropped;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** An upgrade needs other programs: the same, and one more. */
beforeAll(async () => {
  const { found, missing } = findToolchain();
  if (found === undefined) throw new Error(describeMissing(missing));
  await make(bpfObject(found, join(ROOT, 'native/test/fixture/next.bpf.c'), join(BUILD, 'next.bpf.o')));
});

describe.each(KERNELS)('kernel %s', (kernel) => {
  // The second kernel has one thread of the host for all its CPUs.
  const crowd = kernel === '6.1' ? CROWD : CROWD / 5;
  let lines: readonly GuestLine[] = [];
  const report = (name: string): Data => {
    const line = lines.find((one) => one.name === name);
    if (line === undefined) throw new Error(`no report "${name}"`);
    return line.data;
  };

  beforeAll(async () => {
    const scenarios = [
      { module: `${SCENARIOS}/small.ts` },
      { module: `${SCENARIOS}/suspended.ts` },
      { module: `${SCENARIOS}/wide.ts`, args: { containers: crowd } },
    ];
    const memoryMb = 1536 + Math.ceil(crowd / 4);
    ({ lines } = await runGuestOrThrow({ kernel, scenarios, memoryMb, timeoutMs: 1_700_000 }));
  }, 1_800_000);

  it('keeps thresholds and reports for the reader when the ring is full at the crossing', () => {
    const full = report('full');
    const [before, entry] = [full['sums'] as Sums, full['entry'] as Sums];
    expect(before.matched).toBe(700);
    // At least the alerts that each window lets pass, and never anything but them.
    expect(entry).toEqual({ matched: 400, dropped: before.dropped, lost: 400 - before.dropped });
    expect(full['intervals']).toEqual([
      { announced: false, endedBy: 'limits', dropped: expect.any(Number) as number },
      { announced: false, endedBy: 'limits', dropped: expect.any(Number) as number },
    ]);

    const { types, thresholds, lostOf, ...after } = report('read again');
    expect(types).toEqual(['threshold', 'thresholdEnded', 'threshold', 'thresholdEnded']);
    const all = thresholds as readonly (Threshold & { readonly lost: number; readonly timeNs: string })[];
    expect(all.map(({ limits }) => limits.maxAlertPerSec)).toEqual([2, 2, 3, 3]);
    expect(all.map(({ endedBy }) => endedBy)).toEqual(['', 'limits', '', 'limits']);
    expect(all.map(({ crossings }) => crossings)).toEqual([1, 1, 1, 1]);
    const [, first, , second] = all.map(({ dropped }) => dropped);
    expect((first ?? 0) + (second ?? 0)).toBe(before.dropped);
    expect(all.map(({ lost }) => lost)).toEqual([0, 200 - (first ?? 0), 0, 200 - (second ?? 0)]);

    const sums = after['sums'] as Sums;
    expect(sums).toEqual(before);
    expect(balanced(sums)).toBe(true);
    expect(lostOf).toEqual({ filler: 300 - sums.emitted, crossing: entry.lost });
    expect(after).toMatchObject({ alerts: sums.emitted, missing: sums.lost, announced: sums.lost, left: 0 });
    expect(report('after the full ring')).toEqual({ types: ['cgroupRemoved'], entries: 0 });
  });

  it('lets newcomers share a window while the throttle map is full', () => {
    const { alerts, sums, thresholds, ...rest } = report('shared');
    const { matched, emitted, lost, dropped } = sums as Sums;
    expect(rest).toEqual({
      refused: { EACCES: 100 },
      overflowed: '151',
      own: [{ type: 'threshold', overflow: false, containers: 0 }],
      entry: { containers: 2, matched: 151, dropped: 151 - sum((alerts as number[]).slice(2)) },
      entries: [true, true, false, false],
    });
    expect({ matched, lost }).toEqual({ matched: 252 + 1, lost: 0 });
    expect(emitted).toBe(sum(alerts as number[]));
    expect(emitted + dropped).toBe(matched);
    expect(thresholds).toMatchObject([
      { type: 'threshold', container: '0', overflow: true, containers: 2, dropped: 1, endedBy: '' },
    ]);
  });

  it('gives a newcomer a window of its own when there is room, and ends the shared one with a report', () => {
    const moved = report('moved out');
    expect(moved).toMatchObject({
      thresholds: [{ type: 'threshold', overflow: false }],
      containers: 1,
      others: 0,
    });
    // Two in the fullest second of its own window: more only where the guest took more than a second.
    expect(moved['alerts']).toBeGreaterThanOrEqual(2);
    const { reports, shared, sums, tries } = report('shared window over');
    const own = Number(moved['entry']) - Number(moved['alerts']);
    // The sweep goes through the map in no order.
    const byName = (reports as { of: string }[]).sort((a, b) => a.of.localeCompare(b.of));
    const ended = { endedBy: 'limits', overflow: false, containers: 0 };
    expect(byName).toEqual([
      { ...ended, of: 'all', dropped: shared, overflow: true, containers: 1 },
      { ...ended, of: 'fourth', dropped: own },
      { ...ended, of: 'second', dropped: expect.any(Number) as number },
    ]);
    expect((sums as Sums).matched).toBe(253 + Number(tries) + 50);
    expect(sum((reports as { dropped: number }[]).map(({ dropped }) => dropped))).toBe(
      (sums as Sums).dropped,
    );
    expect(balanced(sums as Sums)).toBe(true);
    expect(report('after the overflow')).toEqual({ containers: 0 });
  });

  it('goes on refusing and counting for a minute without a reader, and announces what was lost', () => {
    const { state, refused, matched, good, read, lost } = report('suspended');
    expect({ state, good, read, matched }).toEqual({ state: 'T', good: 0, read: 0, matched: refused });
    expect(lost).toBeGreaterThan(0);
    const { starts, ends, ...after } = report('goes on');
    const sums = after['sums'] as Sums;
    expect(balanced(sums)).toBe(true);
    const [lostOfThrottled, lostOfFlooding] = after['lost'] as [number, number];
    expect(lostOfThrottled + lostOfFlooding).toBe(sums.lost);
    expect(after).toMatchObject({ alerts: sums.emitted, dropped: sums.dropped });
    expect(after['missing']).toBe(after['announced']);
    expect(new Set(starts as string[]).size).toBe((starts as string[]).length);
    expect((ends as Threshold[]).map(({ start }) => start)).toEqual(starts);
  });

  it('reports a container that dies throttled and silent, before it says that it is gone', () => {
    const { alerts, ...rest } = report('died');
    const dropped = 200 - Number(alerts);
    expect(rest).toEqual({
      failed: { EACCES: 200 },
      thresholds: 1,
      entry: { matched: 200, intervals: 1 },
      dead: ['thresholdEnded', 'cgroupRemoved'],
      reports: [{ dropped, endedBy: 'container', lost: 0 }],
      left: false,
    });
    expect(report('forgotten')).toEqual({ types: [] });
  });

  it('keeps the window when a policy is replaced, and ends it with the last one', () => {
    const replaced = report('replaced');
    const passed = Number(replaced['passed']);
    expect(replaced).toMatchObject({
      before: [...Array<string>(passed).fill('alert'), 'threshold'],
      other: { EACCES: 30 },
      events: [],
      entry: { matched: 130, dropped: 130 - passed, intervals: 1 },
    });
    const byRule = [100 - passed, 30].map((alerts) => ({ alerts }));
    expect(report('removed')).toMatchObject({
      open: 10,
      events: [
        { type: 'thresholdEnded', endedBy: 'policy', dropped: 130 - passed, droppedByRule: byRule, lost: 0 },
      ],
      entry: false,
    });
    const again = report('added again');
    const alerts = again['alerts'] as string[];
    expect(again).toMatchObject({
      failed: { EACCES: 100 },
      thresholds: [{ type: 'threshold', dropped: 1 }],
      entry: { matched: 100, dropped: 100 - alerts.length },
    });
    expect(fullest(alerts.map(BigInt))).toBe(2);
  });

  it('holds the limits in force while they change under fire', () => {
    const { changes, refused, good, sums, alerts, thresholds } = report('limits');
    const all = thresholds as readonly Threshold[];
    const crossings = all.filter(({ type }) => type === 'threshold');
    const reports = all.filter(({ type }) => type === 'thresholdEnded');
    const { matched, emitted, lost, dropped } = sums as Sums;
    expect({ good, lost, matched }).toEqual({ good: 0, lost: 0, matched: refused });
    expect((alerts as string[]).length).toBe(emitted);
    expect(emitted + dropped).toBe(matched);
    expect(sum(reports.map((one) => one.dropped))).toBe(dropped);

    const keyOf = ({ start, end, limits }: Threshold) => JSON.stringify([start, end, limits]);
    expect(reports.map(keyOf)).toEqual(crossings.map(keyOf));
    expect(reports.map(({ endedBy }) => endedBy)).toEqual([
      ...Array<string>(reports.length - 1).fill('expired'),
      'limits',
    ]);
    for (const { start, end, limits } of crossings)
      expect(BigInt(end) - BigInt(start)).toBe(BigInt(limits.throttleSec) * 1_000_000_000n);

    // From the end of an interval to the next crossing lies a window, or more if the guest was slow. The alert that crossed
    // was the last to be judged, whenever it was raised.
    const times = (alerts as string[]).map(BigInt).sort((a, b) => Number(a - b));
    let [after, open] = [0n, 0n];
    for (const { start, end, limits } of crossings) {
      const until = BigInt(start);
      const most = Math.max(limits.maxAlertPerSec, mostInForce(changes as Change[], open, until));
      const inWindow = fullest(times.filter((at) => at > after && at <= until));
      expect(inWindow).toBeLessThanOrEqual(most);
      expect(inWindow).toBeGreaterThanOrEqual(limits.maxAlertPerSec);
      [after, open] = [until, BigInt(end)];
    }
    expect(times.filter((at) => at > after)).toEqual([]);
    const seen = new Set(crossings.map(({ limits }) => limits.maxAlertPerSec));
    expect([...seen]).toEqual((changes as Change[]).map(({ maxAlertPerSec }) => maxAlertPerSec));
  });

  it('lets all pass while throttling is off, and remembers nothing of before', () => {
    const { off, on } = report('off and on');
    expect(off).toEqual({ alerts: 300, others: 0 });
    const { alerts, dropped, thresholds } = on as {
      readonly alerts: readonly string[];
      readonly dropped: number;
      readonly thresholds: number;
    };
    const before = (report('limits')['sums'] as Sums).dropped;
    expect(alerts.length + dropped - before).toBe(300);
    expect(thresholds).toBe(1);
    expect(fullest(alerts.map(BigInt))).toBe(2);
  });

  it('keeps the alerts of a container whose neighbour floods the audit ring from all CPUs', () => {
    const { opened, processes, refused, sums, audit, loud, quiet, rings, crossings } =
      report('loud neighbour');
    const { emitted, lost } = audit as { readonly emitted: number; readonly lost: number };
    expect(opened).toBe(Number(processes) * 3000);
    expect(emitted + lost).toBe(opened);
    expect(lost).toBeGreaterThan(0);
    expect(loud).toEqual({ alerts: emitted, lost });
    const blocked = sums as Sums;
    expect(blocked).toMatchObject({ matched: refused, lost: 0 });
    expect(balanced(blocked)).toBe(true);
    expect(quiet).toEqual({ alerts: blocked.emitted, lost: 0 });
    expect(rings).toEqual(['enforcement']);
    const all = crossings as readonly Threshold[];
    const [starts, ends] = ['threshold', 'thresholdEnded'].map((type) =>
      all.filter((one) => one.type === type),
    );
    expect(starts?.length).toBeGreaterThan(0);
    expect(ends?.map(({ start }) => start)).toEqual(starts?.map(({ start }) => start));
    expect(sum((ends ?? []).map(({ dropped }) => dropped))).toBe(blocked.dropped);
  });

  it('opens nothing and doubles nothing while programs and maps are replaced, and keeps windows', () => {
    const { refused, sums, limits, notes, alerts, entry, ...rest } = report('upgraded');
    expect(rest).toEqual({ adopted: false, good: 0, windowsBefore: 1, windows: 1, thresholds: 1 });
    expect(limits).toMatchObject({ alertThrottling: true, maxAlertPerSec: 2, throttleSec: 3600 });
    const { matched, emitted, lost, dropped } = sums as Sums;
    expect({ matched, emitted, lost }).toEqual({ matched: refused, emitted: alerts, lost: 0 });
    expect(entry).toEqual({ matched, dropped, intervals: 1 });
    expect(matched).toBe(emitted + dropped);
    // All maps have the sizes that were asked for.
    expect(notes).toEqual([]);
    expect(report('after the upgrade')).toEqual({
      reports: [{ type: 'thresholdEnded', dropped, endedBy: 'limits' }],
    });
  });

  it('gives each of a crowd of containers its own window', () => {
    const { cells, sums, good, failed, times, containers, seconds, ...rest } = report('many');
    console.log(`${crowd} containers made, flooding, ended: ${String(seconds)} s`);
    const attempts = Array.from({ length: crowd }, (_, index) => Number(times) + (index % 7));
    expect(rest).toEqual({ strangers: 0, left: 0 });
    expect({ good, failed, containers }).toEqual({
      good: 0,
      failed: { EACCES: sum(attempts) },
      containers: crowd,
    });
    const wrong = (cells as readonly string[]).flatMap((cell, index) => {
      const [matched = 0, dropped = 0, alerts = 0, thresholds, reports, reported] = cell
        .split(' ')
        .map(Number);
      // An hour's interval: once crossed, nothing more passes. A container that was slow may not have crossed.
      const crossed = dropped > 0 ? 1 : 0;
      const right =
        matched === attempts[index] &&
        alerts === matched - dropped &&
        alerts >= 2 &&
        thresholds === crossed &&
        reports === crossed &&
        reported === dropped;
      return right ? [] : [{ index, cell }];
    });
    expect(wrong).toEqual([]);
    expect((sums as Sums).matched).toBe(sum(attempts));
    expect((sums as Sums).lost).toBe(0);
    expect(balanced(sums as Sums)).toBe(true);
  });
});
