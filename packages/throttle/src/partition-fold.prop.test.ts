/** What must hold for every history of a partition. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartitionFold } from './partition-fold.ts';
import { anyHistory, anyLimits, newRun, Player, type Run, type Step } from './testing/history.ts';
import { ReferenceFold } from './testing/reference-fold.ts';
import { CheckpointStore } from './testing/checkpoint-store.ts';

function play(history: readonly Step[], player: Player, fold: PartitionFold): Run {
  const run = newRun();
  for (const step of history) player.play(step, fold, run);
  return run;
}

/** Long after everything: whatever is open has been reported. */
const drained: Step = { kind: 'idle', afterMicros: 90_000_000_000 };

describe('PartitionFold, for every history', { timeout: 60_000 }, () => {
  it('agrees with the reference after each step', () => {
    fc.assert(
      fc.property(anyHistory, anyLimits, (history, limits) => {
        const [fold, reference] = [new PartitionFold(), new ReferenceFold()];
        const [player, referencePlayer] = [new Player(limits), new Player(limits)];
        const [actual, expected] = [newRun(), newRun()];
        for (const step of history) {
          player.play(step, fold, actual);
          referencePlayer.playReference(step, reference, expected);
          expect(fold.timeMicros).toBe(reference.now);
          expect(fold.nextDueMicros).toBe(reference.nextDue());
          expect(fold.windowCount).toBe(reference.containers.length);
        }
        expect(actual.decisions).toEqual(expected.decisions);
        expect(actual.events).toEqual(reference.events);
        expect(actual.repeats).toEqual(expected.repeats);
      }),
      { numRuns: 1500 },
    );
  });

  it('loses no alert: each is passed or in one report', () => {
    fc.assert(
      fc.property(anyHistory, anyLimits, (history, limits) => {
        const { decisions, events } = play([...history, drained], new Player(limits), new PartitionFold());
        for (const container of new Set(decisions.map((decided) => decided.container))) {
          const dropped = decisions.filter((one) => one.container === container && one.decision !== 'passed');
          const ended = events.filter(
            (one) => one.container === container && one.operation === 'AlertThresholdEnded',
          );
          expect(ended.reduce((sum, report) => sum + report.dropped, 0)).toBe(dropped.length);
          for (const { dropped: total, byPolicy, byOperation } of ended) {
            expect(byPolicy.reduce((sum, [, alerts]) => sum + alerts, 0)).toBe(total);
            expect(byOperation.reduce((sum, [, alerts]) => sum + alerts, 0)).toBe(total);
          }
        }
      }),
    );
  });

  it('announces each crossing once, then reports it once, then only what was late', () => {
    fc.assert(
      fc.property(anyHistory, anyLimits, (history, limits) => {
        const { decisions, events } = play([...history, drained], new Player(limits), new PartitionFold());
        for (const container of new Set(events.map((event) => event.container))) {
          const letters = events
            .filter((event) => event.container === container)
            .map(({ operation, late }) => (operation === 'AlertThreshold' ? 'T' : late ? 'L' : 'E'));
          expect(letters.join('')).toMatch(/^(TEL*)+$/);
          const crossed = decisions.filter(
            (one) => one.container === container && one.decision === 'thresholdCrossed',
          );
          expect(letters.filter((letter) => letter === 'T')).toHaveLength(crossed.length);
        }
      }),
    );
  });

  it('keeps containers apart: others only make time pass', () => {
    fc.assert(
      fc.property(anyHistory, anyLimits, (history, limits) => {
        const alone = history.map((step): Step => {
          const foreign = (step.kind === 'alert' || step.kind === 'tombstone') && step.container !== 'a';
          return foreign ? { kind: 'other', afterMs: step.afterMs } : step;
        });
        const [together, apart] = [history, alone].map((steps) =>
          play(steps, new Player(limits), new PartitionFold()),
        );
        const ofA = (one: { container: string }): boolean => one.container === 'a';
        expect(apart?.decisions).toEqual(together?.decisions.filter(ofA));
        expect(apart?.events).toEqual(together?.events.filter(ofA));
      }),
    );
  });

  it('goes on from a checkpoint as if nothing had happened', () => {
    fc.assert(
      fc.property(anyHistory, anyHistory, anyLimits, (before, after, limits) => {
        const [player, fold] = [new Player(limits), new PartitionFold()];
        play(before, player, fold);
        const digest = fold.digest();
        const restored = PartitionFold.restore(fold.snapshot().set, fold.timeMicros);
        expect(restored.digest()).toBe(digest);
        expect(restored.takeDirty()).toEqual({ set: [], del: [], throttledSet: [], throttledDel: [] });
        const [runs, twin] = [[newRun(), newRun()] as const, player.copy()];
        for (const step of after) {
          player.play(step, fold, runs[0]);
          twin.play(step, restored, runs[1]);
          expect(restored.digest()).toBe(fold.digest());
          expect(restored.nextDueMicros).toBe(fold.nextDueMicros);
          expect(restored.windowCount).toBe(fold.windowCount);
        }
        expect(runs[1]).toEqual(runs[0]);
      }),
    );
  });

  it('writes what changed, so that the checkpoint is the state', () => {
    const parts = fc.array(fc.tuple(anyHistory, fc.boolean()), { maxLength: 6 });
    fc.assert(
      fc.property(parts, anyLimits, (histories, limits) => {
        const [player, fold, store] = [new Player(limits), new PartitionFold(), new CheckpointStore()];
        for (const [history, whole] of histories) {
          play(history, player, fold);
          if (whole) store.replace(fold.snapshot());
          else store.apply(fold.takeDirty());
          const restored = PartitionFold.restore(store.fields, fold.timeMicros);
          expect(restored.digest()).toBe(fold.digest());
          expect(store.fields.size).toBe(fold.windowCount + fold.sequenceCount);
          expect(store.throttled).toEqual(store.openIntervals());
          expect(store.throttled.size).toBe(fold.openCount);
        }
      }),
    );
  });

  it('takes a snapshot in slices while it goes on: of the state at the beginning', () => {
    fc.assert(
      fc.property(
        anyHistory,
        anyHistory,
        anyLimits,
        fc.integer({ min: 0, max: 4 }),
        fc.boolean(),
        (before, meanwhile, limits, stepsPerSlice, givenUp) => {
          const [player, fold] = [new Player(limits), new PartitionFold()];
          play(before, player, fold);
          if (givenUp) {
            for (const slice of fold.snapshotSlices(1)) if (slice.set.length > 0) break;
            play(before, player, fold);
            fold.giveUpSnapshot();
          }
          const store = new CheckpointStore();
          const [digest, timeMicros] = [fold.digest(), fold.timeMicros];
          const steps = [...meanwhile];
          const slices = fold.snapshotSlices(1);
          play(steps.splice(0, stepsPerSlice), player, fold);
          for (const slice of slices) {
            expect([slice.del, slice.throttledDel]).toEqual([[], []]);
            store.apply(slice);
            play(steps.splice(0, stepsPerSlice), player, fold);
            fold.digest();
          }
          expect(PartitionFold.restore(store.fields, timeMicros).digest()).toBe(digest);
          expect(store.throttled).toEqual(store.openIntervals());
          play(steps, player, fold);
          store.apply(fold.takeDirty());
          expect(PartitionFold.restore(store.fields, fold.timeMicros).digest()).toBe(fold.digest());
          expect(store.fields.size).toBe(fold.windowCount + fold.sequenceCount);
          expect(store.throttled).toEqual(store.openIntervals());
          expect(store.throttled.size).toBe(fold.openCount);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('has the same digest however often it is asked for, and none for no state', () => {
    fc.assert(
      fc.property(anyHistory, anyLimits, (history, limits) => {
        const [asked, unasked] = [new PartitionFold(), new PartitionFold()];
        const [player, twin] = [new Player(limits), new Player(limits)];
        const [askedRun, unaskedRun] = [newRun(), newRun()];
        for (const step of history) {
          player.play(step, asked, askedRun);
          twin.play(step, unasked, unaskedRun);
          asked.digest();
        }
        expect(asked.digest()).toBe(unasked.digest());
        asked.throttlingOff({ threshold: () => undefined, ended: () => undefined });
        if (asked.sequenceCount === 0) expect(asked.digest()).toBe('0000000000000000');
      }),
    );
  });
});
