// A state that is rebuilt is the state that was committed, from wherever it is rebuilt: a checkpoint taken on the
// way, however old, or the start of the log.

import {
  appendTimeMicros,
  formatOffsetMetadata,
  type Limits,
  parseOffsetMetadata,
  PartitionFold,
} from '@alert-throttle/throttle';
import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { OutputRecord } from '../ports.ts';
import { MemoryLog } from '../testing/memory-log.ts';
import { MemorySchemas } from '../testing/memory-schemas.ts';
import { anyLimits, type RecordSpec, recordOf, recordSpec } from '../testing/random-records.ts';
import { START_MS } from '../testing/raw-alerts.ts';
import { History } from './history.ts';
import { Rebuild } from './rebuild.ts';
import { RecordFolder } from './record-folder.ts';

type Action =
  | { readonly kind: 'records'; readonly records: readonly (RecordSpec & { readonly afterMs: number })[] }
  | { readonly kind: 'hidden' }
  | { readonly kind: 'idle'; readonly micros: number }
  | { readonly kind: 'limits'; readonly limits: Limits };

const schemas = new MemorySchemas();

const anyRecord = fc
  .tuple(recordSpec(), fc.oneof(fc.constantFrom(0, 0, 1, 300, 1000, 5000, 901_000, -4000), fc.nat(700)))
  .map(([spec, afterMs]) => ({ ...spec, afterMs }));

const anyAction: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      records: fc.array(anyRecord, { minLength: 1, maxLength: 12 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hidden' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('idle' as const),
      micros: fc.oneof(fc.nat(8_000_000), fc.constant(1_200_000_000)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('limits' as const), limits: anyLimits }) },
);

/** A state at an offset: what is committed there, and what a checkpoint of it would hold. */
interface Point {
  readonly offset: number;
  readonly metadata: string;
  readonly digest: string;
  readonly timeMicros: number;
  readonly fields: readonly (readonly [string, string])[];
}

/** A partition as its owner has it in memory. */
class Live {
  readonly folder: RecordFolder;
  readonly #log: MemoryLog;
  readonly #fold: PartitionFold;
  readonly #history: History;
  #position: number;

  constructor(log: MemoryLog, fold: PartitionFold, folder: RecordFolder, history: History, position: number) {
    this.#log = log;
    this.#fold = fold;
    this.folder = folder;
    this.#history = history;
    this.#position = position;
    folder.goLive();
  }

  /** `end`: where the log ended when this happened. What goes out. */
  act(action: Action, end: number): OutputRecord[] {
    switch (action.kind) {
      case 'hidden':
        break;
      case 'records': {
        const batch = this.#log.read(this.#position, end - this.#position);
        if (batch === undefined) break;
        const { records } = batch;
        if (records.length > 0)
          this.#history.recordRead(this.#position, appendTimeMicros(records.appendMs(0)));
        this.folder.foldAll(records, this.#history.inForce);
        break;
      }
      case 'idle':
        this.folder.advance(this.#fold.timeMicros + action.micros);
        this.#history.timeAdvanced(this.#position, this.#fold.timeMicros);
        break;
      case 'limits':
        if (!action.limits.alertThrottling) this.folder.throttlingOff();
        this.#history.changeLimits(this.#position, action.limits, this.#fold.timeMicros);
    }
    if (action.kind !== 'idle' && action.kind !== 'limits') this.#position = end;
    return this.folder.takeOutputs().outputs;
  }

  point(): Point {
    const { limits, idle, pruned } = this.#history;
    const digest = this.#fold.digest();
    const { timeMicros } = this.#fold;
    const metadata = formatOffsetMetadata({ v: 1, limits, idle, pruned, digest, at: timeMicros });
    return {
      offset: this.#position,
      metadata,
      digest,
      timeMicros,
      fields: byName(this.#fold.snapshot().set),
    };
  }
}

function folderOf(fold: PartitionFold): RecordFolder {
  return new RecordFolder({ fold, schemas, topic: 'raw', partition: 0 });
}

/** All records in the log, and where it ended at each action. */
function logOf(actions: readonly Action[]): { log: MemoryLog; ends: number[] } {
  const log = new MemoryLog();
  let nowMs = START_MS;
  const ends = actions.map((action) => {
    if (action.kind === 'hidden') log.appendHidden();
    if (action.kind === 'idle') nowMs += Math.floor(action.micros / 1000);
    if (action.kind === 'records') {
      for (const { afterMs, ...spec } of action.records) {
        nowMs += afterMs;
        log.append(recordOf(spec, nowMs, `#${log.bounds.end}`));
      }
    }
    return log.bounds.end;
  });
  return { log, ends };
}

/** The state of `committed`, rebuilt from a checkpoint or from nothing, in batches of that size. */
function rebuilt(log: MemoryLog, committed: Point, checkpoint: Point | undefined, batch: number): Live {
  const history = History.of(parseOffsetMetadata(committed.metadata));
  const fold =
    checkpoint === undefined
      ? new PartitionFold()
      : PartitionFold.restore(checkpoint.fields, checkpoint.timeMicros);
  const folder = folderOf(fold);
  const from = checkpoint?.offset ?? Math.min(history.begins, committed.offset);
  const rebuild = new Rebuild(folder, history, from, committed.offset);
  while (!rebuild.done) {
    const fetched = log.read(rebuild.position, batch);
    if (fetched === undefined) throw new Error('the log ends before the committed offset');
    rebuild.fold(fetched.records, fetched.end);
  }
  rebuild.finish();
  expect([fold.digest(), fold.timeMicros]).toEqual([committed.digest, committed.timeMicros]);
  return new Live(log, fold, folder, history, committed.offset);
}

it('rebuilds from any checkpoint or the log what was committed, and goes on alike', () => {
  const picks = fc.array(
    fc.record({ at: fc.nat(), from: fc.nat(), batch: fc.integer({ min: 1, max: 20 }) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  const actions = fc.array(anyAction, { minLength: 1, maxLength: 18, size: 'max' });
  fc.assert(
    fc.property(actions, anyLimits, picks, (history, limits, chosen) => {
      const { log, ends } = logOf(history);
      const fold = new PartitionFold();
      const live = new Live(log, fold, folderOf(fold), History.begin(0, limits), 0);
      const points = [live.point()];
      const outputs = history.map((action, index) => {
        const out = live.act(action, ends[index] ?? 0);
        points.push(live.point());
        return out;
      });
      for (const { at, from, batch } of chosen) {
        const index = at % points.length;
        const committed = points[index];
        if (committed === undefined) continue;
        // One past the last stands for no checkpoint at all.
        const twin = rebuilt(log, committed, points.slice(0, index + 1)[from % (index + 2)], batch);
        history.slice(index).forEach((action, next) => {
          expect(twin.act(action, ends[index + next] ?? 0)).toEqual(outputs[index + next]);
          expect(twin.point()).toEqual(points[index + next + 1]);
        });
      }
    }),
    { numRuns: 600 },
  );
}, 120_000);

/** A snapshot has its fields in no particular order. */
function byName(fields: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return [...fields].sort(([a], [b]) => (a < b ? -1 : 1));
}
