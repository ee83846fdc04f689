// The process that reads the rings is suspended for a minute: the kernel refuses and counts without it, and what the
// rings have no room for meanwhile is announced when it goes on.
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { startContainer, until, type Container, type Guest } from '@alert-throttle/guest/inside';
import { inspectKernel, openKernel } from '@alert-throttle/kernel';
import { EnforcingNode } from '../enforcement/node.ts';
import { noSecret, refuse, SECRET } from './shared.ts';

const FACTS = '/run/suspended.containers';
const READY = '/run/suspended.ready';
const EVENTS = '/run/suspended.events';
const SUSPENDED_NS = 60_000_000_000n;
const THROTTLED = { alertThrottling: true, maxAlertPerSec: 5, throttleSec: 2 };

interface Line {
  readonly type: string;
  readonly container: string;
  readonly start: string;
  readonly dropped: number;
  readonly crossings: number;
  /** Announced as lost. */
  readonly count: number;
}

export default async function suspended(guest: Guest): Promise<void> {
  const files = { [SECRET]: 'secret' };
  // Profile 0 is throttled, profile 1 is not: its alerts are more than the ring takes.
  const [throttled, flooding] = [
    await startContainer('throttled', { files }),
    await startContainer('flooding', { files }),
  ];
  writeFileSync(FACTS, JSON.stringify([throttled, flooding].map(factsOf)));
  writeFileSync(EVENTS, '');
  const reader = spawn(process.execPath, [import.meta.filename, 'reader'], { stdio: 'inherit' });
  await until('the reader', () => existsSync(READY) || reader.exitCode !== null);
  const view = inspectKernel();
  await refuse(throttled, 100);
  const sums = () => {
    const { matched, emitted, lost, dropped } = view.counters();
    return {
      matched: Number(matched),
      emitted: Number(emitted),
      lost: Number(lost),
      dropped: Number(dropped),
    };
  };
  const matchedBefore = sums().matched;

  reader.kill('SIGSTOP');
  const state = await until('the reader to stop', () => stateOf(reader.pid) === 'T' && 'T');
  const linesBefore = readLines().length;
  let [refused, good] = [0, 0];
  for (const startNs = process.hrtime.bigint(); process.hrtime.bigint() - startNs < SUSPENDED_NS;) {
    const replies = [throttled.do('parallel', 2, 100, 'open', SECRET, 'r'), refuse(flooding, 50)];
    for (const reply of await Promise.all(replies)) {
      refused += reply.failed?.['EACCES'] ?? 0;
      good += reply.good ?? 0;
    }
  }
  guest.report('suspended', {
    ...{ state, refused, good, matched: sums().matched - matchedBefore, lost: sums().lost },
    read: readLines().length - linesBefore,
  });

  reader.kill('SIGCONT');
  await until('all that is due', () => {
    const lines = readLines();
    return (
      countOf(lines, 'threshold') === countOf(lines, 'thresholdEnded') &&
      total(lines, 'thresholdEnded', 'dropped') === sums().dropped &&
      total(lines, 'lost', 'count') === Number(view.rings().enforcement.lost) &&
      countOf(lines, 'alert') === sums().emitted
    );
  });
  const lines = readLines();
  const ofContainer = ({ cgroup }: Container) =>
    lines.filter(({ container }) => container === String(cgroup.id));
  guest.report('goes on', {
    sums: sums(),
    alerts: countOf(lines, 'alert'),
    lost: [throttled, flooding].map((one) => total(ofContainer(one), 'lost', 'count')),
    dropped: total(ofContainer(throttled), 'thresholdEnded', 'dropped'),
    starts: ofContainer(throttled)
      .filter(({ type }) => type === 'threshold')
      .map(({ start }) => start),
    ends: ofContainer(throttled)
      .filter(({ type }) => type === 'thresholdEnded')
      .map(({ start, crossings }) => ({ start, crossings })),
    missing: Number(view.rings().enforcement.number) - lines.length,
    announced: total(lines, 'lost', 'count'),
  });
  view.close();
  reader.kill('SIGKILL');
  await new Promise((resolve) => reader.once('exit', resolve));
  openKernel().detach();
  for (const one of [throttled, flooding]) await one.stop();
}

const countOf = (lines: readonly Line[], type: string): number =>
  lines.filter((line) => line.type === type).length;

const total = (lines: readonly Line[], type: string, figure: 'count' | 'dropped'): number =>
  lines.reduce((sum, line) => sum + (line.type === type ? line[figure] : 0), 0);

/** Whole lines only: the last one may be half written. */
function readLines(): Line[] {
  return readFileSync(EVENTS, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

function stateOf(pid: number | undefined): string | undefined {
  return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
}

function factsOf({ cgroup, pidNs, mntNs, rootDev, rootIno }: Container, profile: number) {
  return { id: String(cgroup.id), pidNs, mntNs, rootDev: String(rootDev), rootIno: String(rootIno), profile };
}

/** The other process: a producer that writes what it reads to a file. */
function read(): void {
  const { kernel } = new EnforcingNode({ sizes: { enforcementRingBytes: 1 << 15 } });
  kernel.setLimits(0, THROTTLED);
  kernel.setLimits(1, { ...THROTTLED, alertThrottling: false });
  const ruleSet = kernel.installRuleSet(noSecret);
  const facts = JSON.parse(readFileSync(FACTS, 'utf8')) as ReturnType<typeof factsOf>[];
  for (const { id, rootDev, rootIno, ...rest } of facts)
    kernel.registerContainer({
      ...{ ...rest, cgroupId: BigInt(id), rootDev: BigInt(rootDev), rootIno: BigInt(rootIno) },
      ...{ privileged: false, ruleSet, descendants: () => [] },
    });
  kernel.start((events, release) => {
    const lines = events.map((event) => ({
      type: event.type,
      container: event.type === 'malformed' ? '' : String(event.container),
      start: 'intervalStartNs' in event ? String(event.intervalStartNs) : '',
      dropped: 'dropped' in event ? event.dropped : 0,
      crossings: 'crossings' in event ? event.crossings : 0,
      count: 'count' in event ? event.count : 0,
    }));
    appendFileSync(EVENTS, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    release();
  });
  kernel.activate();
  setInterval(() => kernel.sweep(), 1000);
  writeFileSync(READY, '');
}

if (process.argv[2] === 'reader') read();
