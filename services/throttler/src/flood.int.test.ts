// Floods of known size in twenty containers: what passes, what is said of the rest, and that neither Redis nor
// other limits on the same log change it.

import { createHash } from 'node:crypto';

import { type Alert, makeAlert } from '@alert-throttle/alert';
import { containerId } from '@alert-throttle/test-kit';
import { formatMicros, parseWindowField } from '@alert-throttle/throttle';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { identityOf, type LoggedRecord } from './testing/oracle.ts';
import { OwnRedis } from './testing/own-redis.ts';
import { Scenario } from './testing/scenario.ts';

const CONTAINERS = 20;
const MILLI = 1000;
const SECOND = 1_000_000;
/** Maximal alerts per second and throttling interval of the first group, in seconds. */
const LIMITS = { maxAlertPerSec: 3, throttleSec: 2 };
const STARTED = (Date.now() - 120_000) * MILLI;

interface Moment {
  readonly container: number;
  readonly atMicros: number;
  readonly policy: string;
}

/** Every container's alerts, as they happened. */
function moments(): Moment[] {
  const list: Moment[] = [];
  for (let container = 0; container < CONTAINERS; container++) {
    const at = (startSec: number, index: number, everyMs: number, policy: string): number =>
      list.push({
        container,
        atMicros: STARTED + startSec * SECOND + index * everyMs * MILLI + container,
        policy,
      });
    // As many at once as the container's number says.
    for (let i = 0; i < container; i++) at(0, i, 1, i % 3 === 0 ? 'shells' : 'secrets');
    // Busy, and never more than three in a second.
    for (let i = 0; i < container; i++) at(20, i, 400, 'busy');
    // Ten a second for six seconds: three intervals of two seconds.
    for (let i = 0; i < 60; i++) at(60, i, 100, 'flood');
  }
  return list.sort((a, b) => a.atMicros - b.atMicros || a.container - b.container);
}

function fieldsOf({ container, atMicros, policy }: Moment): Partial<Alert> {
  return {
    ContainerID: containerId(container),
    NodeID: `node-${container % 3}`,
    HostName: `host-${container % 3}`,
    EventTimeMicros: atMicros,
    PolicyName: policy,
    PodName: `pod-${container}`,
    ContainerName: `app-${container}`,
    ContainerImage: `docker.io/library/app:${container}@sha256:6216f64ab88f`,
    Labels: `app=${container}`,
  };
}

let first: Scenario;
let other: Scenario;
let sent: Alert[];
let throttled: LoggedRecord[];
let alerts: Alert[];

beforeAll(async () => {
  first = await Scenario.create({ partitions: 6, limits: LIMITS });
  other = await first.another({ limits: { maxAlertPerSec: 2, throttleSec: 600 } });
  sent = moments().map((moment) => first.feed.alert(fieldsOf(moment)));
  // Alerts of one interval in one request: were the rest to come later than the interval lasts, it would be late.
  await first.feed.send(sent.filter(({ PolicyName }) => PolicyName !== 'flood'));
});

afterAll(async () => {
  await first.close();
});

describe('twenty containers with known floods', () => {
  test('given a log that goes on while it is read, then the output is what the pure core makes of it', async () => {
    const run = first.start();
    await run.ready(6);
    await first.feed.send(sent.filter(({ PolicyName }) => PolicyName === 'flood'));
    await first.drained();
    await first.agrees();
    expect(await run.metric('digest_mismatches_total')).toBe(0);
    expect(await run.metric('alerts_in_total')).toBe(sent.length);
    expect(await run.stop()).toBe(0);
    // Nothing more came after the last interval was reported.
    expect(await first.problems()).toEqual([]);
    throttled = await first.throttled();
    alerts = await Promise.all(throttled.map(({ value }) => first.codec.decode(value ?? Buffer.alloc(0))));
  });

  test('then of each container exactly those alerts passed that may, with their bytes', () => {
    const wanted: string[] = [];
    for (let container = 0; container < CONTAINERS; container++) {
      const own = sent.filter((alert) => alert.ContainerID === containerId(container));
      const burst = own.slice(0, Math.min(container, LIMITS.maxAlertPerSec));
      const busy = own.slice(container, 2 * container);
      const flood = own.slice(2 * container);
      // Three pass, and so do the three from 2.3 s and from 4.6 s on, when an interval has ended.
      const passed = [...flood.slice(0, 3), ...flood.slice(23, 26), ...flood.slice(46, 49)];
      wanted.push(...[...burst, ...busy, ...passed].map(identityOf));
    }
    const found = alerts.filter(({ Throttle }) => Throttle === null);
    expect(found.map(identityOf).sort()).toEqual(wanted.sort());
    const raw = new Map(sent.map((alert) => [identityOf(alert), first.codec.encode(alert).toString('hex')]));
    for (const [index, alert] of alerts.entries()) {
      if (alert.Throttle === null) {
        expect(throttled[index]?.value?.toString('hex')).toBe(raw.get(identityOf(alert)));
      }
    }
  });

  test('then each crossing was told once, with every field of the container', () => {
    for (let container = 0; container < CONTAINERS; container++) {
      const crossings = alerts.filter(
        (alert) => alert.Operation === 'AlertThreshold' && alert.ContainerID === containerId(container),
      );
      const burst = STARTED + 3 * MILLI + container;
      const flood = [0.3, 2.6, 4.9].map((sec) => STARTED + Math.round((60 + sec) * SECOND) + container);
      const starts = [...(container > LIMITS.maxAlertPerSec ? [burst] : []), ...flood];
      expect(crossings).toEqual(
        starts.map((atMicros) => thresholdOf(container, atMicros, atMicros === burst ? 'shells' : 'flood')),
      );
    }
  });

  test('then each end was told once, with what was dropped and where it lies', async () => {
    for (let container = 0; container < CONTAINERS; container++) {
      const ends = alerts.filter(
        (alert) => alert.Operation === 'AlertThresholdEnded' && alert.ContainerID === containerId(container),
      );
      const burst = container > 3 ? [container - 3] : [];
      expect(ends.map(({ Throttle }) => Throttle?.DroppedAlerts)).toEqual([...burst, 20, 20, 11]);
      for (const { Throttle, EventTimeMicros } of ends) {
        expect(Throttle).toMatchObject({ EndedBy: 'expired', Late: false, LimitsVersion: 'on-3-2' });
        expect(EventTimeMicros).toBe(Throttle?.IntervalEndMicros);
        const byPolicy = Throttle?.DroppedByPolicy.reduce((sum, one) => sum + one.Alerts, 0);
        expect(byPolicy).toBe(Throttle?.DroppedAlerts);
        expect(Throttle?.DroppedByOperation).toEqual([{ Name: 'Process', Alerts: Throttle?.DroppedAlerts }]);
      }
    }
    const ended = alerts.find(
      (one) => one.Operation === 'AlertThresholdEnded' && one.ContainerID === containerId(19),
    );
    // Of 19 at once the first three pass: 6 of the rest are `shells` (each third), 10 are `secrets`.
    expect(ended?.Throttle?.DroppedByPolicy).toEqual([
      { Name: 'secrets', Alerts: 10 },
      { Name: 'shells', Alerts: 6 },
    ]);
    const { FirstDropped, LastDropped } = ended?.Throttle ?? {};
    const own = sent.filter(({ ContainerID }) => ContainerID === containerId(19));
    const raw = await first.rawAt([FirstDropped, LastDropped]);
    expect(raw.map(identityOf)).toEqual([own[3], own[18]].map((alert) => alert && identityOf(alert)));
  });

  test('given the same log, an empty Redis and a new group, then the output is hash-equal per container', async () => {
    const redis = await OwnRedis.start();
    const again = await first.another({ redisUrl: redis.url });
    const run = again.start();
    await again.agrees();
    expect(await run.stop()).toBe(0);
    expect(hashes(await again.throttled())).toEqual(hashes(throttled));
    await redis.close();
  });
});

describe('another group with other limits on the same log and the same Redis', () => {
  const stopAtLastRecord = { endMicros: () => 0 };

  test('then it decides by its own limits, and the first group is not touched', async () => {
    const run = other.start();
    await other.drained();
    await other.agrees(stopAtLastRecord);
    const versions = new Set<string | undefined>();
    for (const { value } of await other.throttled()) {
      versions.add((await other.codec.decode(value ?? Buffer.alloc(0))).Throttle?.LimitsVersion);
    }
    expect(versions).toEqual(new Set([undefined, 'on-2-600']));
    await other.checkpointsAgree();
    expect(await run.stop()).toBe(0);
    expect(await first.problems()).toEqual([]);
    expect(await first.checkpointProblems()).toEqual([]);
  });

  test('then HGETALL and ZRANGE on the documented keys show the state, readable and whole', async () => {
    expect(await other.checkpointProblems()).toEqual([]);
    const committed = await other.committed();
    let windows = 0;
    let throttledWindows = 0;
    let members = 0;
    for (let partition = 0; partition < other.partitions; partition++) {
      const { fields, throttled: set } = await other.checkpoint(partition);
      expect([...fields.keys()].filter((field) => /^@[a-z]+$/.test(field)).sort()).toEqual([
        '@digest',
        '@limits',
        '@offset',
        '@time',
        '@updated',
        '@version',
      ]);
      expect(fields.get('@offset')).toBe(String(committed.get(partition)?.offset));
      expect(JSON.parse(fields.get('@limits') ?? '')).toMatchObject({ maxAlertPerSec: 2, throttleSec: 600 });
      for (const [field, value] of fields) {
        const window = parseWindowField(field, value);
        if (window === undefined) continue;
        windows += 1;
        expect(field).toBe(`default/${window.containerKey}`);
        if (window.interval === undefined) continue;
        throttledWindows += 1;
        expect(value).toContain(`"throttledUntil":"${formatMicros(window.interval.throttledUntilMicros)}"`);
        expect(value).toContain(`"dropped":${window.interval.dropped}`);
        expect(set.get(window.containerKey)).toBeCloseTo(window.interval.throttledUntilMicros / SECOND, 5);
      }
      members += set.size;
    }
    // Every container had a flood.
    expect([windows, throttledWindows, members]).toEqual([CONTAINERS, CONTAINERS, CONTAINERS]);
  });
});

/** The record of a crossing, every field of it. */
function thresholdOf(container: number, atMicros: number, policy: string): Alert {
  const fields = fieldsOf({ container, atMicros, policy });
  return makeAlert({
    ...fields,
    PolicyName: '',
    ClusterName: 'default',
    NamespaceName: 'wordpress-mysql',
    Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
    Type: 'SystemEvent',
    Operation: 'AlertThreshold',
    Enforcer: 'eBPF Monitor',
    Result: 'Passed',
    PID: 0,
    PPID: 0,
    UID: 0,
    MaxAlertsPerSec: LIMITS.maxAlertPerSec,
    DroppingAlertsInterval: LIMITS.throttleSec,
    EventTimeMicros: atMicros,
    Timestamp: Math.floor(atMicros / SECOND),
    UpdatedTime: formatMicros(atMicros),
    Throttle: {
      IntervalStartMicros: atMicros,
      IntervalEndMicros: atMicros + LIMITS.throttleSec * SECOND,
      DroppedAlerts: 1,
      LimitsVersion: 'on-3-2',
      Profile: 'default',
      Late: false,
      EndedBy: '',
      Trigger: {
        Operation: 'Process',
        PolicyName: policy,
        Source: '/bin/bash',
        Resource: '/usr/bin/apt',
      },
      DroppedByPolicy: [],
      DroppedByOperation: [],
      FirstDropped: null,
      LastDropped: null,
      FirstDroppedMicros: 0,
      LastDroppedMicros: 0,
      LostAlerts: 0,
      Scope: '',
      Containers: 0,
    },
  });
}

/** Per container, one hash over all of its records, in order. */
function hashes(records: readonly LoggedRecord[]): Map<string, string> {
  const byKey = new Map<string, ReturnType<typeof createHash>>();
  for (const { key, value } of records) {
    const name = key?.toString() ?? '';
    const hash = byKey.get(name) ?? createHash('sha256');
    byKey.set(name, hash);
    hash.update(`${value?.length ?? -1}:`).update(value ?? '');
  }
  return new Map([...byKey].map(([key, hash]) => [key, hash.digest('hex')]));
}
