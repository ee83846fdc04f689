// Throttle maps of other sizes take over, again and again, while processes fire at many windows from all CPUs: with the
// fixture that lingers where races are. Two containers cross all the time, one is not throttled, one is silent in an
// interval of an hour, and a new one begins each second.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Guest } from '@alert-throttle/guest/inside';
import { openKernel, type Kernel, type KernelEvent } from '@alert-throttle/kernel';

const FOLDER = '/run/handover';
const OBJECT = '/w/native/build/handover.bpf.o';
const RING = { enforcementRingBytes: 1 << 24 } as const;

/** Profiles of limits. */
const [THROTTLED, FREE, SILENT] = [0, 1, 2] as const;
const nameOf = (profile: number, container: number): string =>
  `hand${profile}-${String(container).padStart(2, '0')}`;

const ALWAYS: readonly [name: string, times: number][] = [
  [nameOf(THROTTLED, 1), 8],
  [nameOf(THROTTLED, 2), 8],
  [nameOf(FREE, 3), 2],
];
const SILENT_NAME = nameOf(SILENT, 4);
const NEWCOMERS = Array.from({ length: 90 }, (_, index) => nameOf(THROTTLED, 10 + index));

type Attempts = Record<string, { refused: number; other: number }>;

interface Args {
  readonly sizes: readonly number[];
}

export default async function handover(guest: Guest): Promise<void> {
  const { sizes } = guest.args as Args;
  mkdirSync(FOLDER);
  for (const name of [...ALWAYS.map(([each]) => each), SILENT_NAME, ...NEWCOMERS])
    writeFileSync(`${FOLDER}/${name}`, '');
  let kernel = openKernel({ object: OBJECT, sizes: { ...RING, windows: 100 } });
  kernel.setLimits(THROTTLED, { alertThrottling: true, maxAlertPerSec: 3, throttleSec: 1 });
  kernel.setLimits(SILENT, { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 3600 });
  kernel.activate();
  const attempts: Attempts = {};
  shoot(SILENT_NAME, 20, attempts);
  const silent = stateOf(kernel, 4n);
  const startMs = Date.now();
  const guns = [0, 1, 2, 3].map(() =>
    spawn(process.execPath, [import.meta.filename, String(startMs)], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  await Promise.all(guns.map(({ stdout }) => once(stdout, 'readable')));

  const events: KernelEvent[] = [];
  const rounds: object[] = [];
  for (const windows of sizes) {
    await firedMore(kernel, events);
    kernel.close();
    const next = openKernel({ object: OBJECT, sizes: { ...RING, windows } });
    rounds.push({
      ...{ windows, notes: next.notes, adopted: next.adopted },
      silent: stateOf(next, 4n) === silent,
      live: next.throttleMap().length,
    });
    // The bridge decides: what it lets through goes the same way as that of any set.
    await firedMore(next, events);
    next.activate();
    kernel = next;
  }
  await firedMore(kernel, events);
  const fired = await Promise.all(
    guns.map(async ({ stdin, stdout }) => {
      stdin.end();
      return JSON.parse((await text(stdout)).trim().split('\n').at(-1) ?? '') as Attempts;
    }),
  );
  for (const one of fired)
    for (const [name, { refused, other }] of Object.entries(one)) {
      const sum = (attempts[name] ??= { refused: 0, other: 0 });
      sum.refused += refused;
      sum.other += other;
    }
  const entries = kernel.throttleMap();
  for (const profile of [THROTTLED, SILENT])
    kernel.setLimits(profile, { alertThrottling: false, maxAlertPerSec: 3, throttleSec: 1 });
  for (let round = 0; round < 3; round++) take(kernel, events);
  const { matched, emitted, lost, dropped, overflowed } = kernel.counters();
  guest.report('rounds', { rounds });
  guest.report('sums', {
    ...{ matched, emitted, lost, dropped, overflowed },
    refused: Object.values(attempts).reduce((sum, one) => sum + one.refused, 0),
    opened: Object.values(attempts).reduce((sum, one) => sum + one.other, 0),
    alerts: events.filter(({ type }) => type === 'alert').length,
    missing: missing(events),
    types: [...new Set(events.map(({ type }) => type))].sort(),
    lateLosses: events.reduce((sum, one) => sum + (one.type === 'lost' ? one.count : 0), 0),
  });
  guest.report('containers', {
    cells: Object.entries(attempts).map(([name, { refused }]) => {
      const container = BigInt(name.slice(6));
      const own = events.filter((event) => event.type !== 'malformed' && event.container === container);
      const entry = entries.find((one) => one.container === container);
      return {
        ...{ name, refused, matched: entry?.matched, dropped: entry?.dropped },
        alerts: own.flatMap((event) => (event.type === 'alert' ? [event.timeNs] : [])),
        crossings: own.flatMap((event) =>
          event.type === 'threshold' ? [[event.intervalStartNs, event.intervalEndNs]] : [],
        ),
        reports: own.flatMap((event) =>
          event.type === 'thresholdEnded' ? [[event.intervalStartNs, event.dropped, event.crossings]] : [],
        ),
      };
    }),
  });
  kernel.detach();
}

function stateOf(kernel: Kernel, container: bigint): string {
  const entry = kernel.throttleMap().find((one) => one.container === container);
  return JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function take(kernel: Kernel, events: KernelEvent[]): void {
  kernel.sweep();
  for (let batch = kernel.poll(); batch.length > 0; batch = kernel.poll()) events.push(...batch);
}

/** Until the programs have refused some more, however busy the guest is. */
async function firedMore(kernel: Kernel, events: KernelEvent[]): Promise<void> {
  const start = kernel.counters().matched;
  do {
    take(kernel, events);
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (kernel.counters().matched < start + 300n);
}

/** Numbers of the enforcement ring that no event has. */
function missing(events: readonly KernelEvent[]): number {
  const numbers = new Set(events.map(({ number }) => number));
  return Math.max(...numbers) - numbers.size;
}

function shoot(name: string, times: number, attempts: Attempts): void {
  const sum = (attempts[name] ??= { refused: 0, other: 0 });
  for (let i = 0; i < times; i++) {
    try {
      openSync(`${FOLDER}/${name}`, 'r');
      sum.other += 1;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EACCES') sum.refused += 1;
      else sum.other += 1;
    }
  }
}

/** All of them fire at the same newcomer, whose turn it is. */
async function fireUntilTold(startMs: number): Promise<void> {
  const stopped = { yet: false };
  process.stdin.on('end', () => (stopped.yet = true)).resume();
  process.stdout.on('error', () => process.exit(1));
  const attempts: Attempts = {};
  for (let round = 0; !stopped.yet; round++) {
    for (const [name, times] of ALWAYS) shoot(name, times, attempts);
    shoot(NEWCOMERS[Math.floor((Date.now() - startMs) / 1000) % NEWCOMERS.length] ?? '', 4, attempts);
    if (round === 0) process.stdout.write('firing\n');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  process.stdout.write(`${JSON.stringify(attempts)}\n`);
}

const [, self, startMs] = process.argv;
if (self === import.meta.filename && startMs !== undefined) await fireUntilTold(Number(startMs));
