// The kernel side as a whole, in a kernel: rules enforced, alerts throttled, counts exact, and all of it without the
// process that set it up.
import { beforeAll, describe, expect, it } from 'vitest';
import { KERNELS, runGuestOrThrow, type GuestLine } from '@alert-throttle/guest';
import { COPIES, TIMES } from '../scenarios/enforcement/layers.ts';

const SCENARIOS = 'packages/kernel/scenarios/enforcement';

type Report = GuestLine['data'];

function reportOf(lines: readonly GuestLine[], name: string): Report {
  const line = lines.find((one) => one.name === name);
  if (line === undefined) throw new Error(`no report "${name}"`);
  return line.data;
}

describe.each(KERNELS)('kernel %s', (kernel) => {
  let lines: readonly GuestLine[] = [];
  const report = (name: string): Report => reportOf(lines, name);

  beforeAll(async () => {
    const scenarios = ['floods', 'abandoned', 'entries', 'layers'].map((name) => ({
      module: `${SCENARIOS}/${name}.ts`,
    }));
    ({ lines } = await runGuestOrThrow({ kernel, scenarios, timeoutMs: 850_000 }));
  });

  it('emits two alerts and one threshold of five executions, and nothing after', () => {
    const { container, errors, events, entry } = report('five executions');
    expect(errors).toEqual(Array(5).fill('EACCES'));
    const alert = {
      PolicyName: 'policy-0',
      Operation: 'Process',
      Action: 'Block',
      Result: 'Permission denied',
      Enforcer: 'lsm',
      Severity: '7',
      refused: true,
      ring: 'enforcement',
    };
    expect(events).toMatchObject([
      { ...alert, Resource: '/usr/bin/busybox' },
      { ...alert, Resource: '/usr/bin/dynamic' },
      {
        type: 'threshold',
        ring: 'enforcement',
        container,
        dropped: 1,
        limits: { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 60 },
        crossings: 1,
        lost: 0,
        overflow: false,
        profile: 0,
        endedBy: '',
        droppedByOperation: [{ operation: 'exec', alerts: 1 }],
        triggerOperation: 'exec',
        triggerComm: 'workload',
      },
    ]);
    const [, , threshold] = events as readonly Record<string, unknown>[];
    expect(
      BigInt(String(threshold?.['intervalEndNs'])) - BigInt(String(threshold?.['intervalStartNs'])),
    ).toBe(60_000_000_000n);
    expect(entry).toMatchObject({ container, matched: 5, dropped: 3, lost: 0, passedInWindow: 2 });
    expect(report('nothing after')).toMatchObject({
      events: [],
      entry: { container, matched: 105, dropped: 103, lost: 0 },
    });
    expect(report('removed')['events']).toMatchObject([
      {
        type: 'thresholdEnded',
        container,
        dropped: 103,
        droppedByOperation: [{ operation: 'exec', alerts: 103 }],
      },
    ]);
  });

  it('throttles each container alone', () => {
    expect(report('neighbours')).toEqual({
      alone: 'EACCES',
      loud: ['alert', 'alert', 'threshold'],
      louder: ['alert', 'alert', 'threshold'],
      quiet: ['alert'],
    });
  });

  it('reports what an interval dropped when its container is gone', () => {
    const { failed, summary } = report('counted');
    expect(failed).toEqual({ EACCES: 2000 });
    expect(summary).toEqual({ alerts: 2, dropped: 1998, thresholds: 1, ended: 1, malformed: 0 });
  });

  it('reports an interval at its end, with nothing more from the container', () => {
    const { failed, summary, events, again, after } = report('interval over');
    expect(failed).toEqual({ EACCES: 500 });
    const { alerts, dropped, thresholds, ended } = summary as Record<string, number>;
    expect((alerts ?? 0) + (dropped ?? 0)).toBe(500);
    expect(ended).toBe(thresholds);
    const ends = (events as readonly Record<string, unknown>[]).filter(
      ({ type }) => type === 'thresholdEnded',
    );
    expect(ends.map(({ endedBy }) => endedBy)).toEqual(ends.map(() => 'expired'));
    expect(again).toBe('EACCES');
    expect(after).toEqual(['alert']);
  });

  it('counts every access once in a container of runc on overlayfs', () => {
    const { summary, ...rest } = report('runc');
    expect(rest).toEqual({
      failed: { EACCES: 1000 },
      open: 'public',
      matched: '1000',
      read: 100,
      seen: 100,
      resources: ['/etc/secret'],
    });
    expect(summary).toMatchObject({ alerts: 2, dropped: 998, thresholds: 1, ended: 1 });
  });

  it.each([
    ['refused', 'EACCES', [1, 0]],
    ['watched', 'done', [0, 1]],
    // No more than the system calls themselves is asked for.
    ['listed', 'done', [0, 0]],
  ] as const)(
    'takes a copy from the layer below, an exec and a rename for one access: %s',
    (name, outcome, counted) => {
      const alerts = (...all: string[]): string[] => (name === 'listed' ? [] : all);
      const isCopied = outcome === 'done';
      const operations = ['open', 'chmod', 'truncate', 'renameFrom'];
      expect(report(`layers: ${name}`)).toEqual({
        copies: COPIES.map(([path], index) => ({
          ...{ before: false, outcome, counted, after: isCopied },
          alerts: alerts(`${operations[index]} ${path}`),
        })),
        program: { outcome, counted, alerts: alerts('exec /usr/bin/dynamic') },
        after: { outcome, counted, alerts: alerts('open /etc/group') },
      });
    },
  );

  it('counts execs and renames in a container of runc on overlayfs exactly', () => {
    const { refused, watched } = TIMES;
    expect(report('layers: refused many times')).toEqual({
      outcomes: [{ EACCES: refused }, { EACCES: refused }],
      ...{ matched: 2 * refused, emitted: 2, lost: 0, dropped: 2 * refused - 2, alerts: 2 },
      byOperation: [
        [
          { operation: 'exec', alerts: refused - 2 },
          { operation: 'renameFrom', alerts: refused },
        ],
      ],
    });
    const times = (operation: string): string[] => Array<string>(watched).fill(operation);
    expect(report('layers: watched many times')).toEqual({
      ...{ good: watched, renamed: watched, emitted: 2 * watched, lost: 0 },
      alerts: [...times('exec'), ...times('renameFrom')],
    });
  });

  it('loses no count', () => {
    const { matched, emitted, lost, dropped } = report('counters');
    expect(BigInt(String(matched))).toBe(
      BigInt(String(emitted)) + BigInt(String(lost)) + BigInt(String(dropped)),
    );
    expect(lost).toBe('0');
  });

  it('judges what comes by `runc exec` under posture block, and counts it', () => {
    const { started, entered, ...rest } = report('exec under posture');
    // Nothing that runc itself does on its way in.
    expect([started, entered]).toEqual([[], []]);
    expect(rest).toEqual({
      allowed: 'public',
      refused: ['EACCES', 'EACCES'],
      failed: { EACCES: 50 },
      run: { status: expect.toSatisfy((one) => one !== 0) as number, isRefused: true },
      alerts: [
        'open /opt/unlisted DefaultPosture Permission denied',
        'exec /usr/bin/busybox DefaultPosture Permission denied',
      ],
      counted: 53,
      raised: 53,
    });
  });

  it('keeps containers apart in the pid namespace of the host', () => {
    expect(report('pid namespace of the host')).toEqual({
      failed: { EACCES: 200 },
      isThatOfHost: true,
      whose: { own: 2, others: 0 },
      pids: true,
      entry: { matched: 200, dropped: 198 },
    });
  });

  it('keeps containers apart that share a pid namespace', () => {
    expect(report('one pid namespace')).toEqual({
      isOne: true,
      outcomes: [
        { good: 0, failed: { EACCES: 100 } },
        { good: 0, failed: { EACCES: 70 } },
        { good: 30, failed: {} },
      ],
      entries: [{ matched: 100, dropped: 98 }, { matched: 70, dropped: 68 }, null],
      alerts: [2, 2, 30],
      thresholds: [1, 1, 0],
    });
  });

  it('follows a container into cgroups that it makes itself', () => {
    expect(report('cgroups of its own')).toEqual({
      made: '',
      moved: '',
      refused: { EACCES: 60 },
      again: ['', '', '', { EACCES: 40 }],
      whose: { own: 2, others: 0 },
      thresholds: 1,
      entry: { matched: 100, dropped: 98 },
    });
  });

  it('goes on refusing and counting when its process was killed, and is adopted by the next', () => {
    expect(report('absent')).toEqual({
      signal: 'SIGKILL',
      before: 'EACCES',
      good: 0,
      failed: { EACCES: 1000 },
      matched: '1000',
      attached: true,
    });
    expect(report('adopted')).toEqual({
      adopted: true,
      known: true,
      alerts: 5,
      thresholds: 1,
      after: 'EACCES',
    });
    expect(report('detached')).toEqual({ open: 0 });
  });
});

describe('all CPUs at once', () => {
  const [maxAlertPerSec, throttleNs] = [10, 2_000_000_000n];
  const [processes, count] = [4, 25_000];

  it.each([
    ['6.1', 'voluntary'],
    ['6.1', 'full'],
    ['backports', 'full'],
  ] as const)('kernel %s, preempt=%s: exact', async (kernel, preempt) => {
    const { lines } = await runGuestOrThrow({
      kernel,
      cmdline: [`preempt=${preempt}`],
      cpus: 4,
      scenarios: [{ module: `${SCENARIOS}/all-cpus.ts`, args: { processes, count } }],
      timeoutMs: 850_000,
    });
    const { good, failed, refusedByMistake, counters, ...rest } = reportOf(lines, 'flood');
    const total = processes * count;
    expect({ good, failed, refusedByMistake }).toEqual({
      good: 0,
      failed: { EACCES: total },
      refusedByMistake: {},
    });
    const { matched, emitted, lost, dropped } = counters as Record<string, string>;
    expect(matched).toBe(String(total));
    expect(lost).toBe('0');

    const alerts = (rest['alerts'] as readonly string[]).map(BigInt);
    expect(String(alerts.length)).toBe(emitted);
    const intervals = (rest['intervals'] as readonly { start: string; end: string; dropped: number }[]).map(
      ({ start, end, dropped: all }) => ({ start: BigInt(start), end: BigInt(end), all }),
    );
    expect(intervals.length).toBeGreaterThan(0);
    expect(String(intervals.reduce((sum, { all }) => sum + all, 0))).toBe(dropped);
    expect(alerts.length + Number(dropped)).toBe(total);
    // One threshold for each interval, and each interval as long as the limits say, after the one before it.
    expect((rest['thresholds'] as readonly string[]).map(BigInt)).toEqual(
      intervals.map(({ start }) => start),
    );
    for (const { start, end } of intervals) expect(end - start).toBe(throttleNs);
    for (const [index, { start }] of intervals.slice(1).entries())
      expect(start).toBeGreaterThanOrEqual(intervals[index]?.end ?? 0n);
    // No alert within an interval; before each crossing a full window, and never more than that in one.
    for (const { start, end } of intervals) expect(alerts.filter((at) => at > start && at < end)).toEqual([]);
    expect(fullest(alerts, intervals)).toBe(maxAlertPerSec);
  });
});

/** How many alerts the fullest window had, opened and closed as the throttle does it. */
function fullest(alerts: readonly bigint[], intervals: readonly { start: bigint; end: bigint }[]): number {
  let [openedAt, inWindow, most] = [0n, 0, 0];
  for (const at of alerts) {
    const crossed = intervals.some(({ start, end }) => start > openedAt && end <= at);
    if (crossed || at - openedAt >= 1_000_000_000n) [openedAt, inWindow] = [at, 0];
    most = Math.max(most, ++inWindow);
  }
  return most;
}

describe('a kernel that would not ask the programs', () => {
  it('is refused by name', async () => {
    const { lines } = await runGuestOrThrow({
      kernel: '6.1',
      lsm: 'landlock,lockdown,yama,integrity,apparmor',
      scenarios: [{ module: `${SCENARIOS}/no-bpf-lsm.ts` }],
    });
    expect(reportOf(lines, 'refused')).toMatchObject({
      code: 'NO_BPF_LSM',
      hint: expect.stringContaining('lsm=') as string,
    });
  });
});
