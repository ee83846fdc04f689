// The fold without output, with limits and idle time at the offsets where they happened.

import type { Limits, PartitionFold } from '@alert-throttle/throttle';
import avro from 'avsc';
import { AlertWriter } from '@alert-throttle/alert';
import { PartitionRecords } from '@alert-throttle/kafka';
import { describe, expect, it } from 'vitest';

import type { RawRecords } from '../ports.ts';
import { Folding } from '../testing/folding.ts';
import { alertRecord, auditAlert, START_MS } from '../testing/raw-alerts.ts';
import { History } from './history.ts';
import { Rebuild } from './rebuild.ts';
import { RecordFolder } from './record-folder.ts';

const on: Limits = { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 5 };
const off: Limits = { ...on, alertThrottling: false };
const few: Limits = { ...on, maxAlertPerSec: 1 };

/** Ten alerts of one container at one time. */
function flood(from = 0): { on: Folding; records: RawRecords } {
  const folding = new Folding(from);
  return { on: folding, records: folding.logged(...Array.from({ length: 10 }, () => alertRecord(START_MS))) };
}

/** What the window of `c1` holds. */
function window(fold: PartitionFold): string {
  return fold.snapshot().set.map(([, value]) => value)[0] ?? 'none';
}

describe('a rebuild', () => {
  it('is done at once where there is nothing to fold', () => {
    const rebuild = new Rebuild(new Folding().folder, History.begin(7, on), 7, 7);
    expect([rebuild.done, rebuild.position]).toEqual([true, 7]);
  });

  it('folds the records below its target and no others', () => {
    const { on: folding, records } = flood();
    const rebuild = new Rebuild(folding.folder, History.begin(0, on), 0, 2);
    expect(rebuild.fold(records, 10)).toBeUndefined();
    expect([rebuild.done, rebuild.position]).toEqual([true, 2]);
    expect(window(folding.fold)).toMatch(/^passed=2 /);
    rebuild.fold(records.slice(2), 10);
    expect(rebuild.position).toBe(2);
    expect(window(folding.fold)).toMatch(/^passed=2 /);
  });

  it('gets on by what no consumer is shown', () => {
    const rebuild = new Rebuild(new Folding().folder, History.begin(0, on), 0, 5);
    rebuild.skipTo(3);
    expect([rebuild.done, rebuild.position]).toEqual([false, 3]);
    rebuild.skipTo(2);
    expect(rebuild.position).toBe(3);
    rebuild.skipTo(9);
    expect([rebuild.done, rebuild.position]).toEqual([true, 5]);
  });

  it('changes limits exactly where they were changed, inside a batch or at its edges', () => {
    const history = History.begin(0, on);
    history.changeLimits(1, few, 0);
    for (const edge of [1, 2, 5]) {
      const { on: folding, records } = flood();
      const rebuild = new Rebuild(folding.folder, history, 0, 10);
      rebuild.fold(records.slice(0, edge), edge);
      rebuild.fold(records.slice(edge), 10);
      expect(window(folding.fold)).toMatch(/"dropped":9.*"maxAlertPerSec":1,/);
    }
  });

  it('begins with the limits of its first record, and takes changes at that very offset', () => {
    const history = History.begin(0, off);
    history.changeLimits(2, on, 0);
    history.changeLimits(4, few, 0);
    const { on: folding, records } = flood();
    const rebuild = new Rebuild(folding.folder, history, 2, 10);
    rebuild.fold(records.slice(2), 10);
    expect(window(folding.fold)).toMatch(/"dropped":6.*"maxAlertPerSec":1,.*"passed":2/);
  });

  it('clears the windows where throttling was turned off, also at its target', () => {
    const history = History.begin(0, on);
    history.changeLimits(4, off, 0);
    const { on: folding, records } = flood();
    const rebuild = new Rebuild(folding.folder, history, 0, 4);
    rebuild.fold(records, 10);
    expect(folding.fold.windowCount).toBe(1);
    rebuild.finish();
    expect(folding.fold.windowCount).toBe(0);
  });

  it('lets time pass where it passed', () => {
    const history = History.begin(0, on);
    const late = START_MS * 1000 + 60_000_000;
    history.timeAdvanced(5, late);
    const { on: folding, records } = flood();
    const rebuild = new Rebuild(folding.folder, history, 0, 10);
    rebuild.fold(records.slice(0, 5), 5);
    expect(folding.fold.openCount).toBe(1);
    rebuild.fold(records.slice(5), 10);
    expect(folding.fold.timeMicros).toBe(late);
    expect(window(folding.fold)).toMatch(/"dropped":3,.*"firstDropped":{"Partition":3,"Offset":7}/);
  });

  it('takes a step behind a hole in the log in front of the next record', () => {
    const history = History.begin(0, on);
    history.changeLimits(3, few, 0);
    const { on: folding, records } = flood();
    const rebuild = new Rebuild(folding.folder, history, 0, 10);
    rebuild.fold(PartitionRecords.of([0, 5, 6].map((index) => records.record(index))), 7);
    expect(window(folding.fold)).toMatch(/"dropped":2.*"maxAlertPerSec":1,/);
  });

  it('stops in front of a record whose schema is missing, and goes on there without repeating a step', () => {
    const folding = new Folding();
    const strange = { ...alertRecord(START_MS), value: new AlertWriter(9).encode(auditAlert()) };
    const records = folding.logged(
      alertRecord(START_MS),
      alertRecord(START_MS),
      strange,
      alertRecord(START_MS),
    );
    const history = History.begin(0, on);
    history.changeLimits(2, few, 0);
    const rebuild = new Rebuild(folding.folder, history, 0, 4);
    expect(rebuild.fold(records, 4)).toBe(9);
    expect([rebuild.done, rebuild.position]).toEqual([false, 2]);
    folding.schemas.register(
      9,
      avro.Type.forSchema({ type: 'record', name: 'alertthrottle.Alert', fields: [] }),
    );
    expect(rebuild.fold(records.slice(2), 4)).toBeUndefined();
    expect([rebuild.done, rebuild.position]).toEqual([true, 4]);
    expect(window(folding.fold)).toMatch(/"dropped":1,.*"maxAlertPerSec":1,/);
  });

  it('emits nothing', () => {
    const { on: folding, records } = flood();
    const { fold, schemas } = folding;
    const folder = new RecordFolder({ fold, schemas, topic: 'raw', partition: 3 });
    const history = History.begin(0, on);
    history.timeAdvanced(10, START_MS * 1000 + 60_000_000);
    const rebuild = new Rebuild(folder, history, 0, 10);
    rebuild.fold(records, 10);
    rebuild.finish();
    folder.goLive();
    expect(folder.takeOutputs().outputs).toEqual([]);
  });
});
