// Which events of the rings are in the spool: so that after a kill none is missing without a word, and none comes twice.
//
// Each ring numbers its events, and hands out again what was not released. The spool keeps, in the transaction that stores
// an alert, the highest number that was dealt with, and the numbers below it whose alerts were still waiting. Numbers that
// never come are those that the ring did not take: the kernel counts and announces them itself.
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

const RINGS = ['enforcement', 'audit'] as const satisfies readonly Ring[];

export type Marks = Readonly<Record<Ring, number>>;

const stateSchema = z.object({
  /** The life of the kernel's rings: other numbers belong to other rings. */
  life: z.string(),
  enforcement: z.number().int().nonnegative(),
  audit: z.number().int().nonnegative(),
  waiting: z.array(z.tuple([z.enum(RINGS), z.number().int()])),
});

export type LedgerState = z.infer<typeof stateSchema>;

export interface Admitted {
  /** Numbers that the ring skipped. */
  readonly skipped: number;
}

export class RingLedger {
  readonly #life: string;
  readonly #marks: Record<Ring, number>;
  /** Nothing is known of what the ring had before. */
  readonly #unknown: Record<Ring, boolean>;
  /** Numbers that an earlier run had seen, but not stored, when it ended. */
  readonly #owed: Record<Ring, Set<number>>;
  /** Events that wait for their container, or whose alert is not stored yet although later ones are. */
  readonly #late = new Map<string, { ring: Ring; number: number; queuedAt: number | undefined }>();

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

  /** The event of that number came. Undefined: it was dealt with before. */
  admit(ring: Ring, number: number): Admitted | undefined {
    const mark = this.#marks[ring];
    if (number <= mark) return this.#owed[ring].delete(number) ? { skipped: 0 } : undefined;
    const skipped = this.#unknown[ring] ? 0 : number - mark - 1;
    this.#marks[ring] = number;
    this.#unknown[ring] = false;
    return { skipped };
  }

  /** Its alert is not made yet. */
  waits(ring: Ring, number: number): void {
    this.#late.set(keyOf(ring, number), { ring, number, queuedAt: undefined });
  }

  /** The alert of an event that waited was handed on, as record number `position`. */
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
    const waiting = [...this.#late.values()]
      .filter(({ ring, number, queuedAt }) => number <= marks[ring] && (queuedAt ?? Infinity) > position)
      .map(({ ring, number }): [Ring, number] => [ring, number]);
    const owed = RINGS.flatMap((ring) =>
      [...this.#owed[ring]].map((number): [Ring, number] => [ring, number]),
    );
    const state: LedgerState = { life: this.#life, ...marks, waiting: [...owed, ...waiting] };
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
