import { describe, expect, it } from 'vitest';
import { RingLedger } from './ring-ledger.ts';

const LIFE = 'boot-1';
const NEW = { enforcement: 0, audit: 0 };
const BEGUN = { enforcement: 900, audit: 900 };

function fresh(): RingLedger {
  return new RingLedger(LIFE, { stored: undefined, numbers: NEW });
}

function again(stored: string, life = LIFE): RingLedger {
  return new RingLedger(life, { stored, numbers: BEGUN });
}

const NOTHING = { skipped: 0 };

describe('RingLedger', () => {
  it('counts what each ring skipped', () => {
    const ledger = fresh();
    expect(ledger.admit('enforcement', 1)).toEqual(NOTHING);
    expect(ledger.admit('audit', 3)).toEqual({ skipped: 2 });
    expect(ledger.admit('enforcement', 4)).toEqual({ skipped: 2 });
    expect(ledger.admit('enforcement', 5)).toEqual(NOTHING);
  });

  it('admits events that come after higher numbers, each once', () => {
    const ledger = fresh();
    expect(ledger.admit('audit', 1)).toEqual(NOTHING);
    expect(ledger.admit('audit', 4)).toEqual({ skipped: 2 });
    expect(ledger.admit('audit', 3)).toEqual(NOTHING);
    expect(ledger.admit('audit', 3)).toBeUndefined();
    expect(ledger.admit('audit', 2)).toEqual(NOTHING);
    expect(ledger.admit('audit', 2)).toBeUndefined();
    expect(ledger.admit('audit', 5)).toEqual(NOTHING);
  });

  it('admits them also after a restart, unless they are stored', () => {
    const before = fresh();
    for (const number of [1, 5, 3, 4]) before.admit('audit', number);
    before.queued('audit', 3, 3);
    before.queued('audit', 4, 4);
    const after = again(before.stateAt(3, before.marks));
    expect(after.missing('audit', 6)).toEqual([]);
    expect(after.admit('audit', 6)).toEqual(NOTHING);
    expect([2, 3, 4].map((number) => after.admit('audit', number))).toEqual([NOTHING, undefined, NOTHING]);
  });

  it('does not hold on to what no alert is made of', () => {
    const before = fresh();
    for (const number of [2, 1]) before.admit('audit', number);
    before.passed('audit', 1);
    expect(again(before.stateAt(1, before.marks)).admit('audit', 1)).toBeUndefined();
  });

  it('knows after a restart what was dealt with', () => {
    const before = fresh();
    for (const number of [1, 2, 3]) before.admit('audit', number);
    const after = again(before.stateAt(3, before.marks));
    expect(after.admit('audit', 2)).toBeUndefined();
    expect(after.admit('audit', 3)).toBeUndefined();
    expect(after.admit('audit', 6)).toEqual({ skipped: 2 });
    expect(after.admit('enforcement', 1)).toEqual(NOTHING);
  });

  it('begins anew with other rings', () => {
    const before = fresh();
    for (const number of [1, 2, 3]) before.admit('audit', number);
    const stored = before.stateAt(3, before.marks);
    const other = new RingLedger('boot-2', { stored, numbers: NEW });
    expect(other.admit('audit', 1)).toEqual(NOTHING);
    expect(other.admit('audit', 3)).toEqual({ skipped: 1 });
  });

  it('does not take other rings for those of the spool because their programs were taken over', () => {
    const before = fresh();
    for (const number of [1, 2, 3]) before.admit('audit', number);
    const stored = before.stateAt(3, before.marks);
    expect(again(stored, 'boot-1, rings made after a detach').admit('audit', 1)).toEqual(NOTHING);
  });

  it('begins rings of which it knows nothing with what comes first', () => {
    const ledger = again('');
    expect(ledger.admit('audit', 1000)).toEqual(NOTHING);
    expect(ledger.admit('audit', 1002)).toEqual({ skipped: 1 });
    expect([999, 1001, 999].map((number) => ledger.admit('audit', number))).toEqual([
      NOTHING,
      NOTHING,
      undefined,
    ]);
  });

  it('reads what an earlier version has stored', () => {
    const stored = '{"life":"boot-1","enforcement":0,"audit":3,"waiting":[["audit",2]]}';
    expect([1, 2, 3, 4].map((number) => again(stored).admit('audit', number))).toEqual([
      undefined,
      NOTHING,
      undefined,
      NOTHING,
    ]);
  });

  it.each(['', 'not json', '{}', '{"life":"boot-1","enforcement":-1,"audit":0,"waiting":[]}'])(
    'takes %j for nothing',
    (stored) => {
      expect(again(stored).marks).toEqual({ enforcement: 0, audit: 0 });
    },
  );

  it('takes again what waited when an earlier run ended', () => {
    const before = fresh();
    before.admit('audit', 1);
    before.waits('audit', 1);
    before.admit('audit', 2);
    const after = again(before.stateAt(1, before.marks));
    expect(after.admit('audit', 1)).toEqual(NOTHING);
    expect(after.admit('audit', 1)).toBeUndefined();
    expect(after.admit('audit', 2)).toBeUndefined();
    expect(after.admit('audit', 3)).toEqual(NOTHING);
  });

  it('names what waited, and the ring does not have any more', () => {
    const before = fresh();
    before.admit('audit', 1);
    before.waits('audit', 1);
    before.admit('audit', 2);
    const after = again(before.stateAt(1, before.marks));
    expect(after.missing('audit', 2)).toEqual([]);
    expect(after.missing('audit', 3)).toEqual([1]);
    expect(after.missing('audit', 3)).toEqual([]);
  });

  it('owes what is missing until its announcement is stored, and passes no event by before', () => {
    const before = fresh();
    before.admit('audit', 1);
    before.waits('audit', 1);
    before.admit('audit', 2);
    const after = again(before.stateAt(1, before.marks));
    after.missing('audit', 3);
    const { marks } = after;
    after.queued('audit', 1, 5);
    after.admit('audit', 3);
    const stateAt = (position: number): unknown => JSON.parse(after.stateAt(position, marks));
    expect(stateAt(4)).toMatchObject({ audit: 2, waiting: [['audit', 1]] });
    expect(stateAt(5)).toMatchObject({ audit: 2, waiting: [] });
  });

  it('owes an alert that waited until it is stored itself', () => {
    const ledger = fresh();
    ledger.admit('audit', 1);
    ledger.waits('audit', 1);
    ledger.admit('audit', 2);
    ledger.queued('audit', 1, 2);
    const waitingAt = (position: number): unknown =>
      (JSON.parse(ledger.stateAt(position, ledger.marks)) as { waiting: unknown }).waiting;
    expect(waitingAt(1)).toEqual([['audit', 1]]);
    expect(waitingAt(2)).toEqual([]);
    ledger.stored(2);
    expect(waitingAt(1)).toEqual([]);
  });

  it('does not name what came after the marks of the position', () => {
    const ledger = fresh();
    ledger.admit('audit', 1);
    const { marks } = ledger;
    ledger.admit('audit', 2);
    ledger.waits('audit', 2);
    expect(JSON.parse(ledger.stateAt(1, marks))).toMatchObject({ audit: 1, waiting: [] });
  });
});
