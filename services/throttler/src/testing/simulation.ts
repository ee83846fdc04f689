// A partition, the processes that own it or believe that they do, and all that can go wrong between them; what
// happens is said by steps, the rest by a seed. See CommitOracle for what must hold.

import { releasedSchemas } from '@alert-throttle/alert';
import { type Limits, parseMicros, PartitionFold } from '@alert-throttle/throttle';

import { CommitOracle } from './commit-oracle.ts';
import { MemoryCheckpoints, type StoredState } from './memory-checkpoint-store.ts';
import { MemoryLog } from './memory-log.ts';
import type { Schema } from './memory-schemas.ts';
import { randomFrom } from './random.ts';
import { type RecordSpec, recordOf, STRANGE_SCHEMA } from './random-records.ts';
import { START_MS } from './raw-alerts.ts';
import { type Outcome, type SharedWorld, SimulatedProcess } from './simulated-process.ts';

export const PROCESSES = 3;
/** Small, so that a batch is more than one transaction. */
const RECORDS_PER_COMMIT = [1, 2, 3, 5, 1000];
/** More awaits than that without time passing are a loop; nothing else would end it, as the event loop stands still. */
const MAX_ROUNDS = 20_000;

export type Step =
  | { readonly do: 'append'; readonly records: readonly (RecordSpec & { readonly afterMs: number })[] }
  /** Offsets that no consumer is shown. */
  | { readonly do: 'hide' }
  /** Retention deletes the log's start, up to so many offsets before its end. */
  | { readonly do: 'truncate'; readonly left: number }
  /** Every process fetches so often, at most so many offsets each time; `early` as in MemoryFetches. */
  | { readonly do: 'fetch'; readonly times: number; readonly max: number; readonly early: boolean }
  | { readonly do: 'pass'; readonly ms: number }
  /** The broker's clock is set back. */
  | { readonly do: 'setBack'; readonly ms: number }
  /** The settings of one process change, or of all. */
  | { readonly do: 'limits'; readonly process: number | undefined; readonly limits: Limits }
  /** The group gives the partition to that process; the others are told now, or sleep and find out later. */
  | { readonly do: 'assign'; readonly process: number; readonly told: boolean }
  | { readonly do: 'tellAll' }
  | { readonly do: 'stop'; readonly process: number }
  | {
      readonly do: 'fault';
      readonly process: number;
      readonly after: number;
      readonly outcome: Outcome | 'stalls';
    }
  | { readonly do: 'wake' }
  /** See `forgetsEnd` of MemoryLog. */
  | { readonly do: 'forgetEnd' }
  | { readonly do: 'redis'; readonly what: 'lost' | 'away' | 'back' }
  | { readonly do: 'redisRollBack'; readonly writes: number };

/** Resolves when nothing waits any more but what waits for a gate; much cheaper than a turn of the event loop. */
function drained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

export class Simulation implements SharedWorld {
  readonly log = new MemoryLog();
  readonly checkpoints = new MemoryCheckpoints();
  readonly registry = new Map<number, Schema>();
  readonly oracle = new CommitOracle();
  readonly #random: () => number;
  /** By place; a process that was told to go, or crashed, leaves its place to a new one. */
  readonly #places: (SimulatedProcess | undefined)[] = Array.from({ length: PROCESSES }, () => undefined);
  #alive: SimulatedProcess[] = [];
  readonly #everyone: SimulatedProcess[] = [];
  readonly #limits: Limits[];
  #assigned: SimulatedProcess | undefined;
  #nowMs = 0;
  #brokerMs = START_MS;

  constructor(seed: number, limits: Limits) {
    this.#random = randomFrom(seed);
    this.#limits = Array.from({ length: PROCESSES }, () => limits);
    const newest = releasedSchemas.at(-1);
    if (newest !== undefined) this.registry.set(STRANGE_SCHEMA, newest.type);
    this.log.onCommit = (commit) => this.oracle.check(commit);
    this.log.onConfirmed = (commit) => this.oracle.confirmed(commit);
    this.checkpoints.onWrite = (state) => this.#checkStored(state);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.#take(step);
      await this.#run();
    }
  }

  /** Everything that ails is healed; then all must come to an end. What did not hold, in words. */
  async conclude(): Promise<string[]> {
    this.checkpoints.away = false;
    this.log.forgetsEnd = false;
    for (const process of this.#alive) {
      process.fault = undefined;
      process.gate.wake();
    }
    await this.#run();
    if (this.#assigned === undefined) this.#assign(0);
    this.#tellAll();
    // Something to commit: a process that was fenced without knowing it learns it then.
    const last = { kind: 'other', container: 'a', skewMicros: undefined, policy: 'p1' } as const;
    this.#append({ ...last, sequence: 1000 }, 0);
    await this.#fetchAll({ max: 1000, times: 20, early: false });
    // A repeat has no output, and is to be committed all the same.
    this.#append({ ...last, sequence: 1 }, 0);
    // Long enough at the end for a lost checkpoint to be missed.
    for (let round = 0, quiet = 0; round < 60 && quiet < 6; round++) {
      if (quiet === 1 && this.#random() < 0.3) this.checkpoints.lose();
      await this.#fetchAll({ max: 1000, times: 20, early: false });
      await this.#pass(3500);
      quiet = this.#atEnd ? quiet + 1 : 0;
    }
    return this.problems();
  }

  problems(): string[] {
    const problems = [...this.log.violations, ...this.oracle.problems];
    if (this.#everyone.some(({ refused }) => refused)) problems.push('a claim was refused');
    // What was folded from a log without its beginning may be another state; and the checkpoint may be that of a commit
    // that was taken back, whose records were then decided under other limits.
    const mayMismatch = this.oracle.starts.length > 0 || this.log.revoked;
    if (!mayMismatch && this.#mismatch) problems.push('a rebuilt state did not fit its digest');
    if (!this.#atEnd) {
      const { phase, position } = this.#assigned?.owner.status() ?? {};
      problems.push(`it came to no end: ${phase ?? 'nobody'} at ${position ?? -1} of ${this.log.bounds.end}`);
      return problems;
    }
    const stored = this.checkpoints.state(0)?.fields;
    if (stored?.get('@offset') !== String(this.log.bounds.end)) problems.push('the checkpoint stayed behind');
    if (stored?.get('@digest') !== this.oracle.fold.digest())
      problems.push('the checkpoint is another state');
    const { passed, dropped, repeats, poison, lost, records } = this.oracle;
    if (passed + dropped + repeats + poison + lost !== records.length) problems.push('alerts are missing');
    return problems;
  }

  get #mismatch(): boolean {
    return this.#everyone.some(({ told }) => told.events.includes('digest mismatch'));
  }

  get #atEnd(): boolean {
    const caughtUp = this.log.committed?.offset === this.log.bounds.end;
    return caughtUp && this.oracle.fold.openCount === 0 && this.#assigned?.owner.status().phase === 'live';
  }

  async #take(step: Step): Promise<void> {
    switch (step.do) {
      case 'append':
        for (const { afterMs, ...spec } of step.records) this.#append(spec, afterMs);
        return;
      case 'hide':
        this.log.appendHidden();
        return;
      case 'fetch':
        return this.#fetchAll(step);
      case 'truncate':
        this.#truncate(this.log.bounds.end - step.left);
        return;
      case 'pass':
        return this.#pass(step.ms);
      case 'setBack':
        this.#brokerMs -= step.ms;
        return;
      case 'limits':
        this.#changeLimits(step.process, step.limits);
        return;
      case 'assign':
        this.#assign(step.process);
        if (step.told) this.#tellAll();
        return;
      case 'tellAll':
        this.#tellAll();
        return;
      case 'stop':
        this.#stop(step.process);
        return;
      case 'fault':
        this.#setFault(step);
        return;
      case 'wake':
        for (const { gate } of this.#alive) gate.wake();
        return;
      case 'forgetEnd':
        this.log.forgetsEnd = true;
        return;
      case 'redis':
        if (step.what === 'lost') this.checkpoints.lose();
        else this.checkpoints.away = step.what === 'away';
        return;
      case 'redisRollBack':
        this.checkpoints.rollBack(step.writes);
        return;
      default:
        step satisfies never;
    }
  }

  /** Lets the awaits go on, in an order of the seed's, until all wait for something to happen. */
  async #run(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await drained();
      this.#alive = this.#alive.filter(({ gate }) => !gate.dead);
      if (this.#assigned?.gate.dead === true) this.#assigned = undefined;
      this.#assigned?.gate.signOfLife();
      const waiting = this.#alive.filter(({ gate }) => gate.waiting > 0);
      if (waiting.length === 0) return;
      const chosen = waiting.filter(() => this.#random() < 0.6);
      for (const process of chosen.length > 0 ? chosen : waiting) process.step();
    }
    throw new Error('it came to no rest');
  }

  async #fetchAll({ max, times, early }: Omit<Extract<Step, { do: 'fetch' }>, 'do'>): Promise<void> {
    for (let time = 0; time < times; time++) {
      let delivered = false;
      for (const { fetches, owner } of this.#alive) {
        delivered = fetches.deliver(owner, max, early) || delivered;
      }
      if (!delivered) return;
      await this.#run();
    }
  }

  async #pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    this.#brokerMs += ms;
    for (const { owner } of this.#alive) void owner.tick();
    await this.#run();
  }

  #truncate(offset: number): void {
    const { start } = this.log.bounds;
    this.log.truncate(offset);
    if (this.log.bounds.start > start) this.oracle.starts.push(this.log.bounds.start);
  }

  #append(spec: RecordSpec, afterMs: number): void {
    this.#nowMs += afterMs;
    this.#brokerMs += afterMs;
    const name = `#${this.log.bounds.end}`;
    const record = this.log.append(recordOf(spec, this.#brokerMs, name));
    this.oracle.records.push({ ...record, spec, name });
  }

  #changeLimits(place: number | undefined, limits: Limits): void {
    for (let at = 0; at < PROCESSES; at++) {
      if (place !== undefined && place !== at) continue;
      this.#limits[at] = limits;
      const process = this.#places[at];
      if (process === undefined) continue;
      process.limits = limits;
      void process.owner.applyLimits();
    }
  }

  #assign(place: number): void {
    const known = this.#places[place];
    const alive = known !== undefined && this.#alive.includes(known);
    const limits = this.#limits[place];
    if (limits === undefined) return;
    const process = alive ? known : new SimulatedProcess(this, limits, this.#recordsPerCommit());
    this.#places[place] = process;
    this.#assigned = process;
    if (alive) {
      process.owner.refetch();
      return;
    }
    this.#alive.push(process);
    this.#everyone.push(process);
    process.owner.start();
  }

  #recordsPerCommit(): number {
    return RECORDS_PER_COMMIT[Math.floor(this.#random() * RECORDS_PER_COMMIT.length)] ?? 1;
  }

  /** Who does not have the partition learns of it. */
  #tellAll(): void {
    for (const [place, process] of this.#places.entries()) {
      if (process === undefined || process === this.#assigned) continue;
      this.#places[place] = undefined;
      process.fetches.pause();
      void process.owner.drop();
    }
  }

  /** It stays alive until it has finished what it does at a stop. */
  #stop(place: number): void {
    const process = this.#places[place];
    if (process === undefined) return;
    this.#places[place] = undefined;
    if (this.#assigned === process) this.#assigned = undefined;
    process.fetches.pause();
    void process.owner.stop();
  }

  #setFault({ process: place, after, outcome }: Extract<Step, { do: 'fault' }>): void {
    const process = this.#places[place];
    if (process === undefined) return;
    process.fault = { after, outcome };
  }

  /** What is stored is a committed state, whole, with its list of throttled containers. */
  #checkStored({ fields, throttled }: StoredState): void {
    const { problems, states } = this.oracle;
    const state = `${fields.get('@offset') ?? ''} ${fields.get('@digest') ?? ''}`;
    // Where the log's beginning is gone, the digest raises an alarm, and the state is gone on with all the same.
    if (!states.has(state) && !(this.oracle.starts.length > 0 && this.#mismatch))
      problems.push(`stored was a state that was never committed: ${state}`);
    const fold = PartitionFold.restore(fields, parseMicros(fields.get('@time') ?? '') ?? 0);
    if (fold.digest() !== fields.get('@digest')) problems.push('stored was another state than it says');
    const open = new Map(fold.snapshot().throttledSet);
    const listed =
      [...throttled].every(([key, end]) => open.get(key) === end) && open.size === throttled.size;
    if (!listed) problems.push('the list of throttled containers is another one than the windows say');
  }
}
