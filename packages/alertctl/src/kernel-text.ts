// How `alertctl kernel` shows what it found: as tables, or as JSON.
import type { ThrottleEntry } from '@alert-throttle/kernel';
import type { KernelReport } from './kernel.ts';
import { duration, plural, table } from './text.ts';

const NS_PER_SECOND = 1e9;

export function kernelText(report: KernelReport): string {
  const parts = [
    armedText(report),
    '',
    ...policiesText(report),
    throttleText(report),
    '',
    countersText(report),
    '',
    programsText(report),
  ];
  return parts.join('\n');
}

function armedText({ producer }: KernelReport): string {
  if (producer.kernel === undefined)
    return `armed: not known, the producer at ${producer.url} does not answer (${producer.problem})`;
  const { armed, armedKinds, disarmed, containers, policies, refused, held } = producer.kernel;
  const rows = [
    ...armedKinds.map((kind) => [kind, 'armed', '']),
    ...Object.entries(disarmed).map(([kind, reason]) => [kind, 'NOT ARMED', reason]),
  ];
  const lines = [
    `${armed ? 'node armed' : 'node NOT ARMED'}: ${plural(policies, 'policy', 'policies')} in force, ${plural(containers, 'container')}`,
    ...(rows.length === 0 ? ['the first self-test is not over'] : [table(['RULES', 'STATE', 'WHY'], rows)]),
    ...(held === 0 ? [] : [`${plural(held, 'container')} held until its rules are in force`]),
    ...Object.entries(refused).map(([file, reasons]) => `refused: ${file}: ${reasons.join('; ')}`),
  ];
  return lines.join('\n');
}

function policiesText({ producer }: KernelReport): string[] {
  const policies = producer.kernel?.policyStatus ?? [];
  if (policies.length === 0) return [];
  const heading = ['POLICY', 'STATE', 'CONTAINERS', 'IN FORCE', 'STARTING', 'REFUSED', 'WHY'];
  const rows = policies.map((one) => [
    one.policy,
    one.state,
    ...[one.containers, one.inForce, one.starting, one.refused].map(String),
    one.reasons.join('; '),
  ]);
  return [table(heading, rows), ''];
}

function throttleText(report: KernelReport): string {
  const { alertThrottling, maxAlertPerSec, throttleSec } = report.limits;
  const limits = alertThrottling
    ? `limits: ${plural(maxAlertPerSec, 'alert')} per second, then ${throttleSec} s`
    : 'throttling is off';
  if (report.throttleMap.length === 0) return `${limits}; no container has raised a Block alert`;
  const heading = ['CGROUP', 'CONTAINER', 'STATE', 'REMAINING', 'MATCHED', 'DROPPED', 'LOST'];
  const rows = [...report.throttleMap]
    .sort((left, right) => right.dropped - left.dropped)
    .map((entry) => [
      String(entry.container),
      nameOf(report, entry),
      stateOf(report, entry),
      remaining(report, entry),
      String(entry.matched),
      String(entry.dropped),
      String(entry.lost),
    ]);
  return `${limits}\n${table(heading, rows)}`;
}

function nameOf({ cgroups }: KernelReport, { container, containers }: ThrottleEntry): string {
  if (container === 0n) return `shared by ${plural(containers, 'container')}, as the map is full`;
  const path = cgroups.get(container);
  return path === undefined ? 'gone' : path.slice(path.lastIndexOf('/') + 1);
}

function isThrottled({ nowBootNs }: KernelReport, { throttledUntilNs }: ThrottleEntry): boolean {
  return throttledUntilNs > nowBootNs;
}

function stateOf(report: KernelReport, entry: ThrottleEntry): string {
  if (isThrottled(report, entry)) return 'throttled';
  if (entry.intervals.length > 0) return 'report due';
  return entry.removed ? 'ended' : 'open';
}

function remaining(report: KernelReport, entry: ThrottleEntry): string {
  if (!isThrottled(report, entry)) return '';
  return duration(Number(entry.throttledUntilNs - report.nowBootNs) / NS_PER_SECOND);
}

function countersText({ counters, rings }: KernelReport): string {
  const rows = Object.entries(counters).map(([name, value]) => [name, String(value)]);
  const ringRows = Object.entries(rings).map(([ring, { number, emitted, lost }]) => [
    ring,
    String(number),
    String(emitted),
    String(lost),
  ]);
  return [
    table(['COUNTER', 'ALERTS'], rows),
    '',
    table(['RING', 'EVENTS', 'EMITTED', 'LOST'], ringRows),
  ].join('\n');
}

function programsText({ programs, pinDir }: KernelReport): string {
  if (programs.length === 0) return `no programs are pinned under ${pinDir}`;
  // A pinned program does not tell its hook.
  const isKnown = programs.some(({ hook }) => hook !== '');
  const rows = programs.map(({ name, hook, attached, reason, recursionMisses }) => [
    name,
    ...(isKnown ? [hook] : []),
    attached ? 'attached' : `not attached${reason === undefined ? '' : `: ${reason}`}`,
    String(recursionMisses),
  ]);
  return table(['PROGRAM', ...(isKnown ? ['HOOK'] : []), 'STATE', 'SKIPPED RUNS'], rows);
}

/** Numbers that JSON has no place for become texts or plain numbers in the caller's hands. */
export function kernelJson(report: KernelReport): unknown {
  const { pinDir, limits, counters, rings, programs, producer } = report;
  return {
    pinDir,
    armed: producer.kernel?.armed ?? null,
    producer,
    limits,
    throttleMap: report.throttleMap.map((entry) => ({
      ...entry,
      // Larger than JSON's numbers can be relied on.
      container: String(entry.container),
      cgroup: report.cgroups.get(entry.container) ?? null,
      state: stateOf(report, entry),
    })),
    counters,
    rings,
    programs,
  };
}
