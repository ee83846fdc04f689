// Which events of the rings are in the spool: so that after a kill none is missing without a word, and none comes twice.
//
// Each ring numbers its events, and hands out again what was not released. The spool keeps, in the transaction that stores
// an alert, the highest number that was dealt with, and the numbers below it whose alerts were still waiting, or which had
// not come: events of several CPUs come out of order. Numbers that never come are those that the ring did not take: the
// kernel counts and announces them itself.
//
// What a restart finds, after ...   the rings   the cursor   then
//   a stop                          the same    counts       goes on after the highest number
//   a kill                          the same    counts       the same; what was not stored comes again, and counts as new
//   a kill while alerts waited      the same    counts       they come again, too, or are announced as lost (`owed`)
//   an upgrade of the programs      the same    counts       the same
//   a detach, another boot          others      of others    all that comes is new; numbers begin anew
//   the spool was lost              the same    none         whatever comes first is new; nothing is taken for skipped
import { z } from 'zod';
import type { Ring } from '../kernel-port.ts';
import { NumberGaps } from './number-gaps.ts';

const RINGS = ['enforcement', 'audit'] as const satisfies readonly Ring[];

export type Marks = Readonly<Record<Ring, number>>;

const stateSchema = z.object({
  /** The life of the kernel's rings: other numbers belong to other rings. */
  life: z.string(),
  enforcement: z.number().int().nonnegative(),
  audit: z.number().int().nonnegative(),
  waiting: z.array(z.tuple([z.enum(RINGS), z.number().int()])),
  /** Ranges. Earlier versions knew of none. */
  gaps: z.array(z.tuple([z.enum(RINGS), z.number().int(), z.number().int()])).default([]),
});

export type LedgerState = z.infer<typeof stateSchema>;

export interface Admitted {
  /** Numbers that the ring skipped; of these, some may come later. */
  readonly skipped: number;
}

interface Late {
  readonly ring: Ring;
  readonly number: number;
  /** It came after higher numbers: until it is stored, it is as if it had not come, and nobody announces it as lost. */
  readonly wasGap: boolean;
  queuedAt: number | undefined;
}

export class RingLedger {
  readonly #life: string;
  readonly #marks: Record<Ring, number>;
  /** Nothing is known of what the ring had before. */
  readonly #unknown: Record<Ring, boolean>;
  /** Numbers that an earlier run had seen, but not stored, when it ended. */
  readonly #owed: Record<Ring, Set<number>>;
  readonly #gaps: Record<Ring, NumberGaps>;
  /** Events that wait for their container, or whose alert is not stored yet although later ones are. */
  readonly #late = new Map<string, Late>();

  /**
   * `life`: names these very rings. They outlive producers, also one with newer programs, and go with a detach or the boot.
   * `stored`: what the spool has of an earlier run; of other rings it means nothing. `numbers`: how far the rings had
   * counted before this run; one that has begun without such knowledge of it is taken from whatever comes first.
   */
  constructor(life: string, { stored, numbers }: { stored: string | undefined; numbers: Marks }) {
    this.#life = life;
    const state = stored === undefined ? undefined : parse(stored);
    const valid = state?.life === life ? state : undefined;
    const isUnknown = (ring: Ring): boolean => valid === undefined && numbers[ring] > 0;
    this.#unknown = { enforcement: isUnknown('enforcement'), audit: isUnknown('audit') };
    this.#marks = { enforcement: valid?.enforcement ?? 0, audit: valid?.audit ?? 0 };
    const owed = (ring: Ring): Set<number> =>
      new Set(valid?.waiting.filter(([of]) => of === ring).map(([, number]) => number));
    this.#owed = { enforcement: owed('enforcement'), audit: owed('audit') };
    const gaps = (ring: Ring): NumberGaps =>
      new NumberGaps(valid?.gaps.filter(([of]) => of === ring).map(([, from, to]) => [from, to]));
    this.#gaps = { enforcement: gaps('enforcement'), audit: gaps('audit') };
  }

  get marks(): Marks {
    return { ...this.#marks };
  }

  /**
   * Of alerts that waited when an earlier run ended, and that a ring which comes with that number does not have any more.
   * To be asked before `admit`, so that no cursor passes the event by before what it shows to be lost is announced; each
   * is owed until the announcement, which is `queued` for it, is stored.
   */
  missing(ring: Ring, number: number): readonly number[] {
    if (number <= this.#marks[ring]) return [];
    const missing = [...this.#owed[ring]].sort((left, right) => left - right);
    this.#owed[ring].clear();
    for (const one of missing) this.waits(ring, one);
    return missing;
  }

  /**
   * The event of that number came. Undefined: it was dealt with before. Where an alert is made of it, that has to be told
   * (`queued`), and where none is, that too (`passed`).
   */
  admit(ring: Ring, number: number): Admitted | undefined {
    const mark = this.#marks[ring];
    if (number <= mark) {
      if (this.#owed[ring].delete(number)) return { skipped: 0 };
      if (!this.#gaps[ring].take(number)) return undefined;
      this.#late.set(keyOf(ring, number), { ring, number, wasGap: true, queuedAt: undefined });
      return { skipped: 0 };
    }
    this.#gaps[ring].add(mark + 1, number - 1);
    const skipped = this.#unknown[ring] ? 0 : number - mark - 1;
    this.#marks[ring] = number;
    this.#unknown[ring] = false;
    return { skipped };
  }

  /** Its alert is not made yet. */
  waits(ring: Ring, number: number): void {
    this.#late.set(keyOf(ring, number), { ring, number, wasGap: false, queuedAt: undefined });
  }

  /** No alert is made of it. */
  passed(ring: Ring, number: number): void {
    this.#late.delete(keyOf(ring, number));
  }

  /** The alert of an event, which may have been late, was handed on, as record number `position`. */
  queued(ring: Ring, number: number, position: number): void {
    const late = this.#late.get(keyOf(ring, number));
    if (late) late.queuedAt = position;
  }

  /** Everything up to record number `position` is in the spool. */
  stored(position: number): void {
    for (const [key, { queuedAt }] of this.#late)
      if (queuedAt !== undefined && queuedAt <= position) this.#late.delete(key);
  }

  /** For the transaction that stores everything up to record number `position`, made when the marks were `marks`. */
  stateAt(position: number, marks: Marks): string {
    const late = [...this.#late.values()].filter(
      ({ ring, number, queuedAt }) => number <= marks[ring] && (queuedAt ?? Infinity) > position,
    );
    const waiting = late.flatMap(({ ring, number, wasGap }): [Ring, number][] =>
      wasGap ? [] : [[ring, number]],
    );
    const owed = RINGS.flatMap((ring) =>
      [...this.#owed[ring]].map((number): [Ring, number] => [ring, number]),
    );
    const gaps = RINGS.flatMap((ring) =>
      [
        ...this.#gaps[ring].upTo(marks[ring]),
        ...late
          .filter((one) => one.wasGap && one.ring === ring)
          .map(({ number }) => [number, number] as const),
      ]
        .sort(([left], [right]) => left - right)
        .map(([from, to]): [Ring, number, number] => [ring, from, to]),
    );
    const state: LedgerState = { life: this.#life, ...marks, waiting: [...owed, ...waiting], gaps };
    return JSON.stringify(state);
  }
}

function keyOf(ring: Ring, number: number): string {
  return `${ring}:${number}`;
}

function parse(text: string): LedgerState | undefined {
  try {
    return stateSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
