// What does one decision of the fold cost, with a thousand, a hundred thousand and a million containers? The
// baseline is what no throttle can do without: looking the container up in a Map and counting.

import { DEFAULT_LIMITS, type FoldSink, PartitionFold } from '@alert-throttle/throttle';

import { machine, type Machine } from './machine.ts';
import { containerId } from './sample-alert.ts';
import { median, rounded } from './statistics.ts';

const CONTAINERS = [1000, 100_000, 1_000_000];
const DECISIONS = 300_000;
const ROUNDS = 5;
const START_MICROS = 1_763_881_200_000_000;

const silent: FoldSink = { threshold: () => undefined, ended: () => undefined };

export interface DecideCase {
  readonly containers: number;
  /** Nanoseconds, medians of the rounds. */
  readonly baselineNs: number;
  readonly passedNs: number;
  readonly droppedNs: number;
  readonly passedRatio: number;
  readonly droppedRatio: number;
  /** Heap and buffers per quiet window, the key's text included. */
  readonly bytesPerWindow: number;
}

export interface DecideBench {
  readonly machine: Machine;
  readonly cases: readonly DecideCase[];
}

function memoryBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Containers in an order that no cache likes, the same for all cases. */
function order(containers: number): Uint32Array {
  let state = 12_345;
  return Uint32Array.from({ length: DECISIONS }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state % containers;
  });
}

function timed(work: () => void): number {
  const startNs = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - startNs) / DECISIONS;
}

/** `stepMicros` between two alerts of all: large, and all pass; small, and nearly all are dropped. */
function decisions(
  fold: PartitionFold,
  keys: readonly string[],
  picks: Uint32Array,
  stepMicros: number,
): void {
  let now = Math.max(fold.timeMicros, START_MICROS);
  for (const [offset, pick] of picks.entries()) {
    now += stepMicros;
    fold.advance(now, silent);
    const containerKey = keys[pick] ?? '';
    fold.alert(
      {
        containerKey,
        eventTimeMicros: now,
        policy: 'ksp-wordpress-block-process',
        operation: 'File',
        partition: 0,
        offset,
        details,
      },
      DEFAULT_LIMITS,
      silent,
    );
  }
}

const details = (): Parameters<PartitionFold['alert']>[0] extends { details(): infer D } ? D : never => ({
  identity: {
    ClusterName: '',
    HostName: '',
    NodeID: '',
    NamespaceName: '',
    PodName: '',
    Labels: '',
    ContainerName: '',
    ContainerID: '',
    ContainerImage: '',
    Owner: null,
  },
  trigger: { Operation: 'File', PolicyName: '', Source: '', Resource: '' },
});

/** Makes every container cross its threshold, so that what follows within the interval is dropped. */
function throttleAll(fold: PartitionFold, keys: readonly string[]): void {
  for (const [index] of keys.entries()) {
    const picks = new Uint32Array(DEFAULT_LIMITS.maxAlertPerSec + 1).fill(index);
    decisions(fold, keys, picks, 0);
  }
}

function measure(containers: number): DecideCase {
  const picks = order(containers);
  const before = memoryBytes();
  // Concatenated, as a key comes out of a record: each window owns its text.
  const keys = Array.from({ length: containers }, (_, index) => containerId(index));
  const fold = new PartitionFold();
  // All pass: in a window each container gets at most a few alerts, as time moves on by enough.
  const passStep = Math.ceil(1_000_000 / Math.min(containers, 5000));
  decisions(fold, keys, Uint32Array.from(keys.keys()), 0);
  const bytesPerWindow = (memoryBytes() - before - keys.length * 8) / containers;

  const counts = new Map<string, { count: number }>(keys.map((key) => [key, { count: 0 }]));
  const samples = { baseline: [] as number[], passed: [] as number[], dropped: [] as number[] };
  const throttled = new PartitionFold();
  throttleAll(throttled, keys);
  for (let round = 0; round <= ROUNDS; round++) {
    const baselineNs = timed(() => {
      for (const pick of picks) {
        const entry = counts.get(keys[pick] ?? '');
        if (entry !== undefined) entry.count += 1;
      }
    });
    const passedNs = timed(() => decisions(fold, keys, picks, passStep));
    const droppedNs = timed(() => decisions(throttled, keys, picks, 0));
    if (round === 0) continue;
    samples.baseline.push(baselineNs);
    samples.passed.push(passedNs);
    samples.dropped.push(droppedNs);
  }
  const baselineNs = median(samples.baseline);
  const passedNs = median(samples.passed);
  const droppedNs = median(samples.dropped);
  return {
    containers,
    baselineNs: Math.round(baselineNs),
    passedNs: Math.round(passedNs),
    droppedNs: Math.round(droppedNs),
    passedRatio: rounded(passedNs / baselineNs),
    droppedRatio: rounded(droppedNs / baselineNs),
    bytesPerWindow: Math.round(bytesPerWindow),
  };
}

export function decideBench(): DecideBench {
  return { machine: machine(), cases: CONTAINERS.map(measure) };
}
