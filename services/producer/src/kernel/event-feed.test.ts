import type { Alert } from '@alert-throttle/alert';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SourceRecord } from '../ports.ts';
import { Cgroups } from './adapters/cgroups.ts';
import { NodeContainers } from './node-containers.ts';
import { ClockHistory } from './core/clock-history.ts';
import { RingLedger } from './core/ring-ledger.ts';
import { RuleBook } from './core/rule-book.ts';
import { EventFeed } from './event-feed.ts';
import type { KernelEvent } from './kernel-port.ts';
import type { KernelObserver } from './observer.ts';
import { RecordQueue } from './record-queue.ts';
import { alertEvent, CONTAINER, intervalEvent, lostEvent } from './testing/events.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';
const PATH = `/docker/${ID}`;
const node = { clusterName: 'c', hostName: 'h', nodeId: 'n' };

const quiet: KernelObserver = {
  event: () => undefined,
  skipped: () => undefined,
  stranger: () => (strangers += 1),
  exposed: () => undefined,
  held: () => undefined,
  refused: () => undefined,
  selfTest: () => undefined,
};

let nowMs: number;
let ledger: RingLedger;
let queue: RecordQueue;
let containers: NodeContainers;
let feed: EventFeed;
let times: ClockHistory;
let released: number;
let skips: string[];
let strangers: number;

beforeEach(() => start(new RingLedger('boot', { stored: undefined, numbers: { enforcement: 0, audit: 0 } })));

function start(rings: RingLedger): void {
  nowMs = 0;
  times = new ClockHistory();
  released = 0;
  skips = [];
  strangers = 0;
  ledger = rings;
  queue = new RecordQueue(ledger);
  containers = new NodeContainers({
    cgroups: new Cgroups('/nonexistent'),
    node,
    nowMs: () => nowMs,
    onFound: ({ cgroupId }) => feed.known(cgroupId),
    onUnseen: () => undefined,
  });
  feed = new EventFeed({
    queue,
    ledger,
    rules: new RuleBook(),
    containers: () => containers,
    node,
    enforcer: 'BPFLSM',
    profile: 'default',
    isSelfTest: (event) => event.type !== 'malformed' && event.container === 5n,
    onSkipped: (ring) => skips.push(ring),
    nowMs: () => nowMs,
    micros: (timeNs) => times.micros(timeNs),
    observer: quiet,
  });
}

function again(stored: string | undefined): RingLedger {
  return new RingLedger('boot', { stored, numbers: { enforcement: 99, audit: 99 } });
}

function give(...events: KernelEvent[]): void {
  feed.take(events, () => (released += 1));
}

async function taken(): Promise<SourceRecord[]> {
  await queue.close();
  const records: SourceRecord[] = [];
  for await (const batch of queue.batches()) records.push(...batch.records);
  return records;
}

async function alerts(): Promise<Alert[]> {
  return (await taken()).flatMap(({ mapped }) => (mapped.kind === 'alert' ? [mapped.alert] : []));
}

/** Container and what it is about. */
async function said(): Promise<string[]> {
  return (await alerts()).map(({ ContainerID, Operation, Resource }) =>
    `${ContainerID.slice(0, 8)} ${Operation} ${Resource}`.trim(),
  );
}

const about = (number: number, more: Parameters<typeof alertEvent>[0] = {}) =>
  alertEvent({ number, resource: `/${number}`, ...more });

describe('EventFeed', () => {
  it('gives each alert the name of its own container', async () => {
    containers.created(CONTAINER, PATH, undefined);
    containers.created(78n, `/docker/${ID.replace('a', 'b')}`, undefined);
    give(about(1), about(2, { container: 78n }), about(3));
    expect(await said()).toEqual(['a4e3d52a File /1', 'b4e3d52a File /2', 'a4e3d52a File /3']);
  });

  it('lets alerts of a container wait until it is known, in order, and others pass', async () => {
    containers.created(78n, `/docker/${ID.replace('a', 'b')}`, undefined);
    give(about(1), about(2, { container: 78n }), about(3));
    expect(feed.waiting).toBe(2);
    containers.created(CONTAINER, PATH, undefined);
    give(about(4));
    expect(feed.waiting).toBe(0);
    expect(await said()).toEqual([
      'b4e3d52a File /2',
      'a4e3d52a File /1',
      'a4e3d52a File /3',
      'a4e3d52a File /4',
    ]);
  });

  it('knows a container from the event of its cgroup', async () => {
    give(about(1), { type: 'cgroupCreated', ...head(2), path: PATH, parent: 1n }, about(3));
    expect(await said()).toEqual(['a4e3d52a File /1', 'a4e3d52a File /3']);
  });

  it('sends what has waited too long under a name of its own, never under another', async () => {
    give(about(1));
    nowMs = 10_000;
    feed.tick();
    expect((await alerts()).map(({ ContainerID }) => ContainerID)).toEqual([`cgroup:${CONTAINER}`]);
  });

  it('lets no more than a thousand wait: the oldest go out as strangers before their time, and are counted', async () => {
    for (let number = 1; number <= 1_003; number++)
      give(about(number, { container: 1_000n + BigInt(number) }));
    expect(feed.waiting).toBe(1_000);
    expect(strangers).toBe(3);
    expect((await alerts()).map(({ ContainerID, Resource }) => `${ContainerID} ${Resource}`)).toEqual([
      'cgroup:1001 /1',
      'cgroup:1002 /2',
      'cgroup:1003 /3',
    ]);
  });

  it('keeps the name of a container that is gone for its last events', async () => {
    containers.created(CONTAINER, PATH, undefined);
    containers.removed(CONTAINER);
    containers.forget(CONTAINER);
    give(about(1));
    expect(await said()).toEqual(['a4e3d52a File /1']);
    nowMs = 60_000;
    containers.tidy();
    expect(containers.identityOf(CONTAINER)).toBeUndefined();
  });

  it('announces losses with their container, and those of no container as the node', async () => {
    containers.created(CONTAINER, PATH, undefined);
    give(lostEvent(), lostEvent({ number: 2, container: 0n, count: 3 }));
    expect(
      (await alerts()).map(({ ContainerID, Operation, Lost }) => [ContainerID, Operation, Lost]),
    ).toEqual([
      [
        ID,
        'AlertsLost',
        {
          LostAlerts: 12,
          First: 5_000_000,
          Last: 6_000_000,
          Counter: 'EventTimeMicros',
          Reason: 'audit ring full',
        },
      ],
      ['', 'AlertsLost', expect.objectContaining({ LostAlerts: 3 }) as unknown],
    ]);
  });

  it('reports the shared window as the node', async () => {
    give(intervalEvent({ container: 0n, overflow: true, containers: 4 }));
    expect((await alerts())[0]).toMatchObject({ ContainerID: '', Operation: 'AlertThresholdEnded' });
  });

  it('gives an interval one beginning in all its records, though the clock is set in between', async () => {
    times.observe(1_000_000_000_000n, 0n);
    give(intervalEvent({ container: 0n, overflow: true, number: 1, type: 'threshold' }));
    times.observe(1_000_000_000_900n, 20_000_000_000n);
    give(intervalEvent({ container: 0n, overflow: true, number: 2 }));
    times.observe(1_060_000_000_000n, 40_000_000_000n);
    give(intervalEvent({ container: 0n, overflow: true, number: 3 }));
    const records = await alerts();
    expect(records.map(({ Throttle }) => Throttle?.IntervalStartMicros)).toEqual(
      Array(3).fill(1_005_000_000),
    );
    expect(records.map(({ EventTimeMicros }) => EventTimeMicros)).toEqual(Array(3).fill(1_035_000_000));
  });

  it('keeps events of the self-test to itself', async () => {
    give(about(1, { container: 5n }));
    expect(await taken()).toEqual([]);
  });

  it('looks for containers after numbers were skipped: their events may be among the lost', () => {
    containers.created(CONTAINER, PATH, undefined);
    give(about(1), about(4));
    expect(skips).toEqual(['enforcement']);
  });

  it('does not stumble over what no program writes', async () => {
    give({ type: 'malformed', ring: 'audit', number: 0, bytes: Buffer.alloc(0) });
    expect(await taken()).toEqual([]);
    expect(released).toBe(1);
  });
});

describe('a batch of events', () => {
  it('leaves its ring only when everything that came of it is stored', async () => {
    containers.created(CONTAINER, PATH, undefined);
    give(about(1), about(2));
    expect(released).toBe(0);
    const [first, second] = await taken();
    queue.stored(first?.end ?? expect.unreachable());
    expect(released).toBe(0);
    queue.stored(second?.end ?? expect.unreachable());
    expect(released).toBe(1);
  });

  it('stays in its ring while one of its alerts waits for its container, until that is stored', async () => {
    give(about(1));
    expect(released).toBe(0);
    containers.created(CONTAINER, PATH, undefined);
    expect(released).toBe(0);
    const [record] = await taken();
    queue.stored(record?.end ?? expect.unreachable());
    expect(released).toBe(1);
  });

  it('without alerts leaves at once', () => {
    give({ type: 'cgroupRemoved', ...head(1) });
    expect(released).toBe(1);
  });

  it('that comes again after a kill is taken from where the spool ends', async () => {
    containers.created(CONTAINER, PATH, undefined);
    give(about(1), about(2), about(3));
    const [, second] = await taken();
    const cursor = queue.cursorAt(second?.end ?? expect.unreachable());
    start(again(cursor?.value));
    containers.created(CONTAINER, PATH, undefined);
    give(about(1), about(2), about(3), about(4));
    expect(await said()).toEqual(['a4e3d52a File /3', 'a4e3d52a File /4']);
  });

  it('is not stored twice where one of its alerts waited when the producer was killed', async () => {
    containers.created(78n, `/docker/${ID.replace('a', 'b')}`, undefined);
    give(about(1), about(2, { container: 78n }));
    const [stored] = await taken();
    const cursor = queue.cursorAt(stored?.end ?? expect.unreachable());
    start(again(cursor?.value));
    containers.created(CONTAINER, PATH, undefined);
    give(about(1), about(2, { container: 78n }), about(3));
    expect(await said()).toEqual(['a4e3d52a File /1', 'a4e3d52a File /3']);
  });

  it('announces an alert that waited when the producer was killed, and is not in the ring any more', async () => {
    containers.created(78n, `/docker/${ID.replace('a', 'b')}`, undefined);
    give(about(1), about(2, { container: 78n }));
    const [stored] = await taken();
    const cursor = queue.cursorAt(stored?.end ?? expect.unreachable());
    start(again(cursor?.value));
    containers.created(CONTAINER, PATH, undefined);
    give(about(3));
    expect((await alerts()).map(({ Operation, Lost }) => [Operation, Lost?.First])).toEqual([
      ['AlertsLost', 1],
      ['File', undefined],
    ]);
  });
});

function head(number: number) {
  return { ring: 'enforcement', number, timeNs: 1n, container: CONTAINER } as const;
}
