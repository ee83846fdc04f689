// Checkpoints as Redis would hold them, and the port to them. What is stored can be lost, rolled back, or away.

import type { CheckpointChange, CheckpointStore, CheckpointToken, StoredCheckpoint } from '../ports.ts';
import { type Gate, openGate } from './gate.ts';

export interface StoredState {
  readonly fields: ReadonlyMap<string, string>;
  readonly throttled: ReadonlyMap<string, number>;
}

/** What all instances share. */
export class MemoryCheckpoints {
  away = false;
  /** Called after each write. */
  onWrite: (state: StoredState) => void = () => undefined;
  readonly #states = new Map<number, StoredState>();
  readonly #past = new Map<number, StoredState[]>();

  state(partition: number): StoredState | undefined {
    return this.#states.get(partition);
  }

  put(partition: number, state: StoredState): void {
    const before = this.#states.get(partition);
    const past = this.#past.get(partition);
    if (past === undefined) this.#past.set(partition, []);
    if (before !== undefined) past?.push(before);
    this.#states.set(partition, state);
    this.onWrite(state);
  }

  lose(): void {
    this.#states.clear();
  }

  /** Each partition goes back by so many writes. */
  rollBack(writes: number): void {
    for (const [partition, past] of this.#past) {
      const index = past.length - writes;
      const state = past[index];
      if (state === undefined) continue;
      this.#states.set(partition, state);
      past.length = index;
    }
  }
}

export class MemoryCheckpointStore implements CheckpointStore {
  readonly #checkpoints: MemoryCheckpoints;
  readonly #gate: Gate;

  constructor(checkpoints: MemoryCheckpoints, gate: Gate = openGate) {
    this.#checkpoints = checkpoints;
    this.#gate = gate;
  }

  get available(): boolean {
    return !this.#checkpoints.away;
  }

  load(partition: number): Promise<StoredCheckpoint | undefined> {
    return this.#gate.pass('load', () => {
      this.#checkAway();
      const state = this.#checkpoints.state(partition);
      return state && this.#stored(partition, state);
    });
  }

  #stored(partition: number, { fields: head }: StoredState): StoredCheckpoint {
    const now = (): ReadonlyMap<string, string> =>
      this.#checkpoints.state(partition)?.fields ?? new Map<string, string>();
    return {
      head,
      // One by one, and the first of them twice, as a scan may do.
      slices: async function* () {
        for (const [field] of [...[...now()].slice(0, 1), ...now()]) {
          await Promise.resolve();
          const value = now().get(field);
          if (value !== undefined) yield [[field, value]];
        }
      },
      unchanged: async () => {
        await Promise.resolve();
        return ['@offset', '@time', '@digest'].every((field) => now().get(field) === head.get(field));
      },
    };
  }

  update(
    partition: number,
    expect: CheckpointToken,
    change: CheckpointChange,
    head: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    return this.#gate.pass('update', () => {
      this.#checkAway();
      const state = this.#checkpoints.state(partition);
      const stored = (field: string): string => state?.fields.get(field) ?? '';
      const same =
        stored('@offset') === expect.offset &&
        stored('@time') === expect.time &&
        stored('@digest') === expect.digest;
      if (same) this.#checkpoints.put(partition, changed(state, change, head));
      return same;
    });
  }

  replace(
    partition: number,
    slices: Iterable<CheckpointChange>,
    head: Readonly<Record<string, string>>,
  ): Promise<void> {
    return this.#gate.pass('replace', () => {
      this.#checkAway();
      let state: StoredState | undefined;
      for (const slice of slices) state = changed(state, slice, {});
      this.#checkpoints.put(partition, changed(state, NOTHING, head));
    });
  }

  #checkAway(): void {
    if (this.#checkpoints.away) throw new Error('Redis is away');
  }
}

const NOTHING: CheckpointChange = { set: [], del: [], throttledSet: [], throttledDel: [] };

function changed(
  before: StoredState | undefined,
  { set, del, throttledSet, throttledDel }: CheckpointChange,
  head: Readonly<Record<string, string>>,
): StoredState {
  const fields = new Map([...(before?.fields ?? []), ...set, ...Object.entries(head)]);
  const throttled = new Map([...(before?.throttled ?? []), ...throttledSet]);
  for (const field of del) fields.delete(field);
  for (const member of throttledDel) throttled.delete(member);
  return { fields, throttled };
}
