// The whole of it: a kernel that refuses and watches, the producer beside it in the guest, and Kafka, registry, Redis and
// throttler on this host. What is asserted is what a read_committed consumer of the throttled topic sees.
import type { Alert } from '@alert-throttle/alert';
import { runGuestOrThrow } from '@alert-throttle/guest';
import { testStack, topicEnv } from '@alert-throttle/test-kit';
import { Scenario, type LoggedRecord } from '@alert-throttle/throttler/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FIRST_PORT,
  FLOOD,
  ID,
  LIMITS,
  OPERATION_ROLES,
  SECRET,
  WATCHED,
  type OperationRole,
  type Role,
} from '../scenarios/cast.ts';
import { casesWithPort, type Case } from '../../packages/kernel/scenarios/enforcement/operations.ts';
import {
  openAlert,
  operationAlert,
  thresholdAlert,
  type IntervalFacts,
  type Pids,
  type Verdict,
} from './testing/kernel-alerts.ts';

type Data = Readonly<Record<string, unknown>>;

const reports = new Map<string, Data>();
const report = (name: string): Data => reports.get(name) ?? expect.unreachable(`no report: ${name}`);

let scenario: Scenario;
let records: readonly LoggedRecord[];
/** Of the throttled topic. */
let alerts: readonly Alert[];
/** Of the raw topic, before the throttler. */
let raw: readonly Alert[];
/** Of tombstones, which have theirs in headers. */
let otherNumbers: readonly number[];

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 4, limits: LIMITS });
  const throttler = scenario.start();
  try {
    await runInGuest();
    await scenario.agrees();
  } finally {
    await throttler.stop();
  }
  records = await scenario.throttled();
  alerts = await scenario.decoded(records.filter(({ value }) => value !== null));
  const log = await scenario.raw();
  raw = await scenario.decoded(log.filter(({ value }) => value !== null));
  otherNumbers = log
    .filter(({ value }) => value === null)
    .map(({ headers }) => Number(headers?.['Sequence']?.toString()));
}, 2_500_000);

afterAll(() => scenario.close());

async function runInGuest(): Promise<void> {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = testStack();
  const ports = [...KAFKA_BROKERS.split(',').map((one) => `tcp://${one}`), SCHEMA_REGISTRY_URL].map((one) =>
    Number(new URL(one).port),
  );
  const env = { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, ...topicEnv(scenario.topics) };
  const { lines } = await runGuestOrThrow({
    kernel: '6.1',
    hostPorts: ports,
    scenarios: [{ module: 'e2e/scenarios/kernel-pipeline.ts', args: { ports, env } }],
    timeoutMs: 2_400_000,
  });
  for (const { name, data } of lines) reports.set(name, data);
}

const of = (all: readonly Alert[], role: Role): Alert[] =>
  all.filter(({ ContainerID }) => ContainerID === ID[role]);
const isAlert = ({ Type }: Alert): boolean => Type === 'MatchedPolicy';
const isInterval = ({ Throttle }: Alert): boolean => Throttle !== null;

const FLOODED = 2 * FLOOD;

const floods: readonly (IntervalFacts & { readonly verdict: Verdict })[] = [
  {
    role: 'blocked',
    ...{ enforcer: 'BPFLSM', policy: 'guard-secrets', path: SECRET, source: 'workload' },
    verdict: { action: 'Block', policy: 'guard-secrets' },
  },
  {
    role: 'audited',
    ...{ enforcer: 'eBPF Monitor', policy: 'watch-files', path: WATCHED, source: '/usr/bin/workload' },
    verdict: { action: 'Audit', policy: 'watch-files', severity: '3' },
  },
];

it('comes to its end: armed, refused what is to be refused, and everything sent', () => {
  expect(report('started')).toMatchObject({ armed: true, policies: 4, containers: 6 });
  expect(report('floods')).toMatchObject({
    blocked: { good: 0, failed: { EACCES: FLOODED } },
    audited: { good: FLOODED, failed: {} },
    quiet: ['EACCES', ''],
  });
  expect(report('after the silence')).toEqual({ outcomes: ['EACCES', ''] });
  expect(report('stopped')).toEqual({ code: 0 });
  expect(report('detached')).toMatchObject({ status: 0 });
});

it('counts in the kernel what went out and what was dropped, and no other way', () => {
  const { matched, emitted, dropped, lost, entry } = report('floods') as Record<string, number> & {
    readonly entry: Record<string, number>;
  };
  expect({ matched, lost }).toEqual({ matched: FLOODED + 1, lost: 0 });
  expect(matched).toBe((emitted ?? NaN) + (dropped ?? NaN));
  expect(entry).toEqual({ matched: FLOODED, dropped, lost: 0 });
});

describe.each(floods)('the flood of the container $role', (flood) => {
  const { role, path, verdict } = flood;
  const own = (): Alert[] => of(alerts, role);
  const passed = (): Alert[] => own().filter(isAlert);

  it('has exactly one AlertThreshold and its end, with the exact count', () => {
    const intervals = own().filter(isInterval);
    const dropped = FLOODED + 1 - passed().length;
    expect(intervals).toEqual([
      thresholdAlert(intervals[0] as Alert, flood, undefined),
      thresholdAlert(intervals[1] as Alert, flood, dropped),
    ]);
    expect(intervals[1]?.Throttle?.IntervalStartMicros).toBe(intervals[0]?.Throttle?.IntervalStartMicros);
  });

  it('passes no more than the limits say, in order, and again when the silence is over', () => {
    const kinds = own()
      .filter((one) => isAlert(one) || isInterval(one))
      .map(({ Operation }) => Operation);
    const before = kinds.indexOf('AlertThreshold');
    expect(kinds).toEqual([
      ...Array<string>(before).fill('File'),
      'AlertThreshold',
      'AlertThresholdEnded',
      'File',
    ]);
    // More only where the guest took longer than a second for them.
    const times = passed().map(({ EventTimeMicros }) => EventTimeMicros);
    expect(before).toBeGreaterThanOrEqual(LIMITS.maxAlertPerSec);
    for (const [index, time] of times.slice(LIMITS.maxAlertPerSec, before).entries())
      expect(time - (times[index] ?? NaN)).toBeGreaterThan(0);
    const start = own().find(isInterval)?.Throttle?.IntervalStartMicros ?? NaN;
    expect(times.at(-1)).toBeGreaterThanOrEqual(start + LIMITS.throttleSec * 1_000_000);
    expect(times.at(-2)).toBeLessThanOrEqual(start);
  });

  it('consists of whole alerts', () => {
    const pids = report('pids')[ID[role]] as Pids;
    const all = passed();
    const expected = all.map((one, index) =>
      openAlert(one, role, path, verdict, index === all.length - 1 ? pids : 'child'),
    );
    expect(all).toEqual(expected);
  });

  it('ends with its tombstone', () => {
    const last = records.filter(({ key }) => key?.toString() === ID[role]).at(-1);
    expect(last?.value).toBeNull();
  });
});

it('throttles the blocked in the kernel, and the audited behind it', () => {
  expect(of(raw, 'blocked').filter(isAlert).length).toBe(of(alerts, 'blocked').filter(isAlert).length);
  expect(of(raw, 'audited').filter(isAlert).length).toBe(FLOODED + 1);
  expect(of(raw, 'audited').filter(isInterval)).toEqual([]);
});

it('keeps every alert of a neighbour', () => {
  const pids = report('pids')[ID.quiet] as Pids;
  const own = of(alerts, 'quiet');
  expect(own.filter(isInterval)).toEqual([]);
  expect(own.filter(isAlert).toSorted((a, b) => a.Sequence - b.Sequence)).toEqual(
    expect.arrayContaining(
      (
        [
          [SECRET, { action: 'Block', policy: 'guard-secrets' }],
          [WATCHED, { action: 'Audit', policy: 'watch-files', severity: '3' }],
        ] as const
      ).map(([path, verdict]) => {
        const seen = own.find(({ Resource }) => Resource === path) ?? expect.unreachable(path);
        return openAlert(seen, 'quiet', path, verdict, pids);
      }),
    ),
  );
  expect(own.filter(isAlert).length).toBe(2);
});

it('numbers its records without a gap, and loses none', () => {
  const numbers = [...raw.map(({ Sequence }) => Sequence), ...otherNumbers].sort((a, b) => a - b);
  expect(numbers).toEqual(Array.from(numbers, (_, index) => index + 1));
  expect(new Set(raw.map(({ BootID }) => BootID)).size).toBe(1);
  expect(raw.filter(({ Operation }) => Operation === 'AlertsLost')).toEqual([]);
});

describe.each(OPERATION_ROLES)('operations: %s', (role) => {
  const verdicts: Readonly<Record<OperationRole, Verdict>> = {
    operationsBlocked: { action: 'Block', policy: 'block-all' },
    operationsAudited: { action: 'Audit', policy: 'audit-all' },
    operationsOfAuditedPod: { action: 'Audit (Block)', policy: 'block-all' },
  };
  const cases = casesWithPort(FIRST_PORT + 10 * OPERATION_ROLES.indexOf(role)).map((one) => ({
    ...one,
    alert: {
      ...one.alert,
      resource: one.alert.resource.replace('$root', `/run/containers/${ID[role]}/rootfs`),
    },
  }));
  const isLoud = (one: Case): boolean =>
    role === 'operationsBlocked' ||
    (role === 'operationsAudited' ? one.auditRule : one.auditedPod) === 'alert';

  it('refuses what is named, and lets its neighbour be', () => {
    const expected = cases.map(({ name, alert, isRefusedLater, otherwise = 'done' }) => {
      const refused = isRefusedLater ? 'ended with 127' : (alert.error ?? 'EACCES');
      return { name, guarded: role === 'operationsBlocked' ? refused : otherwise, neighbour: otherwise };
    });
    expect(report(role)['outcomes']).toEqual(expected);
  });

  it('raises one whole alert for each, and none for the neighbours', () => {
    const pids = report('pids')[ID[role]] as Pids;
    const seen = of(raw, role)
      .filter(isAlert)
      .toSorted((a, b) => a.Sequence - b.Sequence);
    const loud = cases.filter(isLoud);
    const brief = ({ Data, Resource }: Alert): string => `${Data.split(' ')[0] ?? ''} ${Resource}`;
    expect(seen.map(brief)).toEqual(loud.map(({ alert }) => `lsm=${alert.lsm} ${alert.resource}`));
    expect(seen).toEqual(
      loud.map((one, index) => operationAlert(seen[index] as Alert, role, one, verdicts[role], pids)),
    );
  });
});
