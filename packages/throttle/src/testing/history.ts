/** Random histories of one partition for the property tests, and the two ways to run one. */
import fc from 'fast-check';
import { type Decision } from '../decide.ts';
import type { CrossingDetails, FoldSink, IntervalEvent } from '../interval-event.ts';
import type { Limits } from '../limits.ts';
import { appendTimeMicros, type PartitionFold } from '../partition-fold.ts';
import type { ReferenceEvent, ReferenceFold } from './reference-fold.ts';

/** One thing that happens to a partition, at the time its fold has then, plus `afterMs` where it has one. */
export type Step =
  | {
      readonly kind: 'alert';
      readonly afterMs: number;
      readonly container: string;
      /** Event time relative to the append time; undefined: unknown. */
      readonly skewMicros: number | undefined;
      readonly policy: string;
      readonly operation: string;
    }
  | { readonly kind: 'tombstone'; readonly afterMs: number; readonly container: string }
  /** A record that concerns no window. */
  | { readonly kind: 'other'; readonly afterMs: number }
  | { readonly kind: 'idle'; readonly afterMicros: number }
  | { readonly kind: 'limits'; readonly limits: Limits }
  | { readonly kind: 'sequence'; readonly node: string; readonly boot: string; readonly sequence: number };

/** A real time of day, so that the numbers have their real size. */
export const START_MS = 1_795_417_331_000;

const containers = fc.constantFrom('a', 'b', 'c', 'host:n1');
const pause = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 0, 0, 1, 30) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 700 }) },
  { weight: 2, arbitrary: fc.constantFrom(999, 1000, 1001, 2000, 4500) },
  { weight: 1, arbitrary: fc.constantFrom(60_000, 899_999, 900_000, 1_000_000, 3_600_000, 604_800_000) },
  { weight: 1, arbitrary: fc.constant(-300) },
);
const skew = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -2000, max: 0 }) },
  { weight: 2, arbitrary: fc.integer({ min: -3_000_000, max: 2_000_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(-1_000_000, -1_000_001, -999_999, -3_600_000_000, 3_600_000_000) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);
export const anyLimits: fc.Arbitrary<Limits> = fc.record({
  alertThrottling: fc.oneof(
    { weight: 5, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.boolean() },
  ),
  maxAlertPerSec: fc.integer({ min: 1, max: 4 }),
  throttleSec: fc.integer({ min: 1, max: 4 }),
});

export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('alert' as const),
      afterMs: pause,
      container: containers,
      skewMicros: skew,
      policy: fc.oneof(fc.constantFrom('p1', 'p2'), fc.integer({ min: 0, max: 30 }).map(String)),
      operation: fc.constantFrom('File', 'Process', '__proto__'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('tombstone' as const), afterMs: pause, container: containers }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('idle' as const),
      afterMicros: fc.oneof(fc.integer({ min: 0, max: 6_000_000 }), fc.constant(1_200_000_000)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('limits' as const), limits: anyLimits }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('sequence' as const),
      node: fc.constantFrom('n1', 'n/2', '%2F'),
      boot: fc.constantFrom('b1', 'b/2', ''),
      sequence: fc.integer({ min: -1, max: 20 }),
    }),
  },
);

export const anyHistory = fc.array(anyStep, { maxLength: 120, size: 'max' });

/** What a run made: the decision of each alert and what the events say. */
export interface Run {
  readonly decisions: { readonly container: string; readonly decision: Decision }[];
  readonly events: ReferenceEvent[];
  readonly repeats: boolean[];
}

export function newRun(): Run {
  return { decisions: [], events: [], repeats: [] };
}

/** The clock of a history: append times and limits, the same for both folds. */
export class Player {
  limits: Limits;
  offset = 0;
  #nowMs = START_MS;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /** A player that goes on from here by itself. */
  copy(): Player {
    const twin = new Player(this.limits);
    twin.offset = this.offset;
    twin.#nowMs = this.#nowMs;
    return twin;
  }

  play(step: Step, fold: PartitionFold, run: Run): void {
    const sink = sinkOf(run);
    switch (step.kind) {
      case 'alert': {
        const appendMicros = this.#append(step.afterMs);
        fold.advance(appendMicros, sink);
        const { container, policy, operation } = step;
        const seen = {
          containerKey: container,
          eventTimeMicros: step.skewMicros === undefined ? 0 : appendMicros + step.skewMicros,
          policy,
          operation,
          partition: 0,
          offset: this.offset++,
          details: () => detailsOf(container),
        };
        run.decisions.push({ container, decision: fold.alert(seen, this.limits, sink) });
        return;
      }
      case 'tombstone':
        fold.advance(this.#append(step.afterMs), sink);
        this.offset++;
        fold.remove(step.container, sink);
        return;
      case 'idle':
        fold.advance(fold.timeMicros + step.afterMicros, sink);
        this.#nowMs = Math.max(this.#nowMs, Math.floor(fold.timeMicros / 1000));
        return;
      case 'limits':
        if (this.limits.alertThrottling && !step.limits.alertThrottling) fold.throttlingOff(sink);
        this.limits = step.limits;
        return;
      case 'sequence':
        run.repeats.push(fold.isRepeat(step.node, step.boot, step.sequence));
        return;
      case 'other':
        fold.advance(this.#append(step.afterMs), sink);
        this.offset++;
        return;
      default:
        step satisfies never;
    }
  }

  playReference(step: Step, fold: ReferenceFold, run: Run): void {
    switch (step.kind) {
      case 'alert': {
        const appendMicros = this.#append(step.afterMs);
        fold.advance(appendMicros);
        const { container, policy, operation, skewMicros } = step;
        const eventTimeMicros = skewMicros === undefined ? 0 : appendMicros + skewMicros;
        const alert = { container, eventTimeMicros, policy, operation, offset: this.offset++ };
        run.decisions.push({ container, decision: fold.alert(alert, this.limits) });
        return;
      }
      case 'tombstone':
        fold.advance(this.#append(step.afterMs));
        this.offset++;
        fold.remove(step.container);
        return;
      case 'idle':
        fold.advance(fold.now + step.afterMicros);
        this.#nowMs = Math.max(this.#nowMs, Math.floor(fold.now / 1000));
        return;
      case 'limits':
        if (this.limits.alertThrottling && !step.limits.alertThrottling) fold.throttlingOff();
        this.limits = step.limits;
        return;
      case 'sequence':
        run.repeats.push(fold.isRepeat(step.node, step.boot, step.sequence));
        return;
      case 'other':
        fold.advance(this.#append(step.afterMs));
        this.offset++;
        return;
      default:
        step satisfies never;
    }
  }

  #append(afterMs: number): number {
    this.#nowMs += afterMs;
    return appendTimeMicros(this.#nowMs);
  }
}

export function detailsOf(container: string): CrossingDetails {
  return {
    identity: {
      ClusterName: 'default',
      HostName: 'node-1',
      NodeID: 'n1',
      NamespaceName: 'ns',
      PodName: `pod-${container}`,
      Labels: 'app=x',
      ContainerName: 'main',
      ContainerID: container.startsWith('host:') ? '' : container,
      ContainerImage: 'docker.io/library/x:1',
      Owner: container === 'b' ? null : { Ref: 'Deployment', Name: 'x', Namespace: 'ns' },
    },
    trigger: { Operation: 'File', PolicyName: 'p1', Source: '/bin/sh', Resource: '/etc/shadow' },
  };
}

function sinkOf(run: Run): FoldSink {
  return {
    threshold: (event) => run.events.push(plain('AlertThreshold', event)),
    ended: (event) => run.events.push(plain('AlertThresholdEnded', event)),
  };
}

function plain(operation: ReferenceEvent['operation'], event: IntervalEvent): ReferenceEvent {
  return {
    operation,
    container: event.containerKey,
    stampMicros: event.stampMicros,
    startMicros: event.intervalStartMicros,
    endMicros: event.intervalEndMicros,
    dropped: event.dropped,
    byPolicy: event.droppedByPolicy.map(({ Name, Alerts }) => [Name, Alerts]),
    byOperation: event.droppedByOperation.map(({ Name, Alerts }) => [Name, Alerts]),
    firstOffset: event.firstDropped?.Offset ?? -1,
    lastOffset: event.lastDropped?.Offset ?? -1,
    late: event.late,
    endedBy: event.endedBy,
  };
}
