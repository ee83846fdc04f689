/** Runs the conformance vectors: those of the window against decide and evolve, those of the partition against the fold. */
import { describe, expect, it } from 'vitest';
import { decide, evolve, newWindow, type Window } from './decide.ts';
import type { FoldSink, IntervalEvent } from './interval-event.ts';
import { appendTimeMicros, PartitionFold } from './partition-fold.ts';
import { detailsOf } from './testing/history.ts';
import { partitionVectors, windowVectors, type PartitionStep, type WindowStep } from './testing/vectors.ts';

function stepWindow(before: Window, step: WindowStep): { window: Window; decision: string } {
  const window = step.limits.alertThrottling ? before : newWindow();
  const decision = decide(step.limits, window, step.tMicros);
  evolve(window, decision, step.tMicros, step.limits);
  return { window, decision };
}

describe('window vectors', { timeout: 60_000 }, () => {
  it.each(windowVectors)('$name', ({ steps }) => {
    let window = newWindow();
    for (const [i, step] of steps.entries()) {
      const decisions = new Set<string>();
      for (let n = 0; n < (step.repeat ?? 1); n++) {
        const after = stepWindow(window, step);
        decisions.add(after.decision);
        window = after.window;
      }
      expect([...decisions], `step ${i}`).toEqual([step.decision]);
      expect(window, `step ${i}`).toMatchObject(step.state);
    }
  });
});

class VectorRun implements FoldSink {
  readonly fold = new PartitionFold();
  events: object[] = [];
  #offset = 0;

  threshold(event: IntervalEvent): void {
    this.events.push(flat('AlertThreshold', event));
  }

  ended(event: IntervalEvent): void {
    this.events.push(flat('AlertThresholdEnded', event));
  }

  play(step: PartitionStep, limits: PartitionStep['limits'] & object): string | undefined {
    switch (step.do) {
      case 'idle':
        this.fold.advance(step.toMicros ?? 0, this);
        return undefined;
      case 'limits':
        if (step.limits?.alertThrottling === false) this.fold.throttlingOff(this);
        return undefined;
      case 'tombstone':
        this.#record(step);
        this.fold.remove(step.container ?? '', this);
        return undefined;
      case 'alert':
        return this.#alert(step, limits);
      default:
        throw new Error(`unknown step: ${step.do}`);
    }
  }

  #alert(step: PartitionStep, limits: PartitionStep['limits'] & object): string {
    const offset = this.#record(step);
    if (this.fold.isRepeat(step.nodeID ?? '', step.bootID ?? '', step.sequence ?? 0)) return 'repeat';
    const containerKey = step.container ?? '';
    const seen = {
      containerKey,
      eventTimeMicros: step.eventTimeMicros ?? 0,
      policy: step.policy ?? '',
      operation: step.operation ?? '',
      partition: 0,
      offset,
      details: () => detailsOf(containerKey),
    };
    return this.fold.alert(seen, limits, this);
  }

  #record(step: PartitionStep): number {
    this.fold.advance(appendTimeMicros(step.appendMs ?? 0), this);
    return this.#offset++;
  }
}

function flat(operation: string, event: IntervalEvent): object {
  return {
    operation,
    container: event.containerKey,
    stampMicros: event.stampMicros,
    startMicros: event.intervalStartMicros,
    endMicros: event.intervalEndMicros,
    dropped: event.dropped,
    late: event.late,
    endedBy: event.endedBy,
    firstOffset: event.firstDropped?.Offset,
    lastOffset: event.lastDropped?.Offset,
    byPolicy: event.droppedByPolicy.map(({ Name, Alerts }) => [Name, Alerts]),
    byOperation: event.droppedByOperation.map(({ Name, Alerts }) => [Name, Alerts]),
    maxAlertPerSec: event.maxAlertPerSec,
    throttleSec: event.throttleSec,
  };
}

describe('partition vectors', () => {
  it.each(partitionVectors)('$name', (vector) => {
    const run = new VectorRun();
    let { limits } = vector;
    for (const [i, step] of vector.steps.entries()) {
      run.events = [];
      const decision = run.play(step, limits);
      limits = step.limits ?? limits;
      expect(decision, `step ${i}`).toBe(step.decision);
      expect(run.events, `step ${i}`).toMatchObject(step.events);
    }
  });
});
