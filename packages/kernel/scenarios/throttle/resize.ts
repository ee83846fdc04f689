// Maps of other sizes take over, larger and smaller, while processes fire at a throttled container and at one that is
// not: nothing is open, nothing is counted twice, and what a third one has in its window stays.
import { readdirSync } from 'node:fs';
import type { Container, Guest } from '@alert-throttle/guest/inside';
import {
  KernelError,
  LAYOUT_VERSION,
  type Kernel,
  type KernelEvent,
  type KernelSizes,
} from '@alert-throttle/kernel';
import { EnforcingNode } from '../enforcement/node.ts';
import { fire } from './firing.ts';
import {
  alertTimes,
  drain,
  entryOf,
  HOUR,
  lostIn,
  noSecret,
  of,
  readUntil,
  refuse,
  SECRET,
  secretContainer,
  since,
  thresholds,
} from './shared.ts';

/** Profiles of limits. */
const THROTTLED = 0;
const FREE = 1;
const SILENT = 2;

const SIZES: Partial<KernelSizes> = { windows: 6, enforcementRingBytes: 1 << 26 };
/** One after the other; the last does not fit. */
const LARGER: Partial<KernelSizes> = {
  ...SIZES,
  ...{ windows: 200, containers: 80, members: 400, rules: 2000, names: 3000, rulesets: 20 },
};
const SMALLER: Partial<KernelSizes> = { ...LARGER, windows: 5, members: 30, names: 500 };
const TOO_SMALL: Partial<KernelSizes> = { ...SMALLER, windows: 1 };

export default async function resize(guest: Guest): Promise<void> {
  let node = new EnforcingNode({ sizes: SIZES });
  setLimits(node.kernel);
  node.kernel.activate();
  const containers = [
    await secretContainer(node, 'throttled'),
    await secretContainer(node, 'free'),
    await secretContainer(node, 'silent'),
  ] as const;
  const [throttled, free, silent] = containers;
  protectAll(node, containers);
  drain(node);
  const before = node.kernel.counters();
  const silentTries = (await refuse(silent, 40)).failed?.['EACCES'] ?? 0;
  const silentBefore = entryOf(node, silent.cgroup.id);
  const guns = [
    await fire(throttled, { path: SECRET, processes: 3, pauseMs: 0 }),
    await fire(free, { path: SECRET, processes: 2, pauseMs: 20 }),
  ];
  const events: KernelEvent[] = [];
  for (const [name, sizes] of Object.entries({ larger: LARGER, smaller: SMALLER })) {
    events.push(...(await readUntil(node, 'a crossing', (all) => crossings(of(all, throttled)) > 0)));
    const ringsId = node.kernel.ringsId;
    node.kernel.close();
    const next = new EnforcingNode({ sizes });
    const firedUnder = await matchedMore(next.kernel);
    const { kernel } = next;
    guest.report(name, {
      adopted: kernel.adopted,
      notes: kernel.notes,
      sameRings: kernel.ringsId === ringsId,
      containers: kernel.containers().length,
      firedUnder,
      silent: same(entryOf(next, silent.cgroup.id), silentBefore),
      active: kernel.programs().filter(({ attached }) => attached).length > 0,
    });
    node = next;
    protectAll(node, containers);
    kernel.activate();
    await matchedMore(kernel);
    events.push(...drain(node));
    guest.report(`${name} and active`, {
      sets: readdirSync(`/sys/fs/bpf/alert-throttle/${LAYOUT_VERSION}/sets`).length,
      silent: same(entryOf(node, silent.cgroup.id), silentBefore),
    });
  }
  node.kernel.close();
  guest.report('too small', { error: errorOf(TOO_SMALL) });
  const last = new EnforcingNode({ sizes: SMALLER });
  await matchedMore(last.kernel);
  const [fired, firedFree] = [await guns[0]?.stop(), await guns[1]?.stop()];
  // What is open ends by its time; the silent container's interval by the limits.
  last.kernel.setLimits(SILENT, { alertThrottling: false, maxAlertPerSec: 1, throttleSec: 1 });
  await readUntil(last, 'the reports', (all) => balanced(all, throttled) && balanced(all, silent), events);
  guest.report('all', {
    ...{ adopted: last.kernel.adopted, fired, firedFree, silentTries, sums: since(last, before) },
    alerts: [throttled, free, silent].map((container) => alertTimes(of(events, container)).length),
    lost: lostIn(events),
    times: alertTimes(of(events, throttled)),
    thresholds: thresholds(of(events, throttled)).map((one) => ({
      ...{ type: one.type, dropped: one.dropped, crossings: one.crossings },
      ...{ start: one.intervalStartNs, end: one.intervalEndNs },
    })),
    silent: thresholds(of(events, silent)).map(({ type, dropped, endedBy }) => ({ type, dropped, endedBy })),
    entries: Object.fromEntries(
      [throttled, silent].map((container) => {
        const entry = entryOf(last, container.cgroup.id);
        return [container.name, { matched: entry?.matched, dropped: entry?.dropped, lost: entry?.lost }];
      }),
    ),
    numbers: {
      given: Number(last.kernel.rings().enforcement.number),
      emitted: Number(last.kernel.rings().enforcement.emitted),
    },
    types: [...new Set(events.map(({ type }) => type))].sort(),
  });
  last.detach();
  for (const container of containers) await container.stop();
}

function setLimits(kernel: Kernel): void {
  kernel.setLimits(THROTTLED, { alertThrottling: true, maxAlertPerSec: 5, throttleSec: 1 });
  kernel.setLimits(FREE, { alertThrottling: false, maxAlertPerSec: 5, throttleSec: 1 });
  kernel.setLimits(SILENT, { alertThrottling: true, maxAlertPerSec: 2, throttleSec: HOUR });
}

/** Each with the profile of its place in the list. */
function protectAll({ kernel }: EnforcingNode, containers: readonly Container[]): void {
  const ruleSet = kernel.installRuleSet(noSecret);
  containers.forEach(({ cgroup, pidNs, mntNs, rootDev, rootIno }, profile) => {
    kernel.registerContainer({
      ...{ cgroupId: cgroup.id, pidNs, mntNs, rootDev, rootIno, profile },
      ...{ privileged: false, ruleSet, descendants: () => [] },
    });
  });
}

const crossings = (events: readonly KernelEvent[]): number =>
  events.filter(({ type }) => type === 'threshold').length;

function balanced(events: readonly KernelEvent[], container: Container): boolean {
  const all = thresholds(of(events, container)).map(({ type }) => type);
  const begun = all.filter((type) => type === 'threshold').length;
  return begun > 0 && all.length === 2 * begun;
}

/** Until the programs have refused some more, however busy the guest is; how much more. */
async function matchedMore(kernel: Kernel): Promise<boolean> {
  const start = kernel.counters().matched;
  while (kernel.counters().matched < start + 200n) await new Promise((resolve) => setTimeout(resolve, 20));
  return true;
}

function same(one: unknown, other: unknown): boolean {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
  return text(one) === text(other);
}

function errorOf(sizes: Partial<KernelSizes>): object | undefined {
  try {
    new EnforcingNode({ sizes });
    return undefined;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { code: error.code, message: error.message };
  }
}
