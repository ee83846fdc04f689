/** Repeats: the highest sequence number of each life of each producer's spool, for 7 days of the partition's time. */
import type { Hash64 } from './hash64.ts';
import { StateEntry, type StateChanges } from './state-changes.ts';

const HOUR_IN_MICROS = 3_600_000_000;
const KEPT_HOURS = 7 * 24;
const KEPT_MICROS = KEPT_HOURS * HOUR_IN_MICROS;

export class SequenceEntry extends StateEntry {
  readonly nodeID: string;
  readonly bootID: string;
  highest: number;
  /** The partition's time at the latest number that was no repeat. */
  seenAtMicros: number;

  constructor(nodeID: string, bootID: string, highest: number, seenAtMicros: number, hash: Hash64) {
    super();
    this.nodeID = nodeID;
    this.bootID = bootID;
    this.highest = highest;
    this.seenAtMicros = seenAtMicros;
    this.hashKey(hash, nodeID, bootID);
  }

  mixInto(hash: Hash64): void {
    hash.integer(this.highest);
    hash.integer(this.seenAtMicros);
  }
}

export class SequenceTable {
  readonly #changes: StateChanges<SequenceEntry>;
  readonly #hash: Hash64;
  readonly #nodes = new Map<string, Map<string, SequenceEntry>>();
  /** Records of one producer come in runs. */
  #latest: SequenceEntry | undefined = undefined;
  #size = 0;

  constructor(changes: StateChanges<SequenceEntry>, hash: Hash64) {
    this.#changes = changes;
    this.#hash = hash;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether the number was seen before. If not, it is remembered; a repeat changes nothing. */
  isRepeat(nodeID: string, bootID: string, sequence: number, nowMicros: number): boolean {
    if (!(sequence > 0) || bootID === '') return false;
    let entry = this.#find(nodeID, bootID);
    if (entry === undefined) {
      entry = new SequenceEntry(nodeID, bootID, sequence, nowMicros, this.#hash);
      this.#put(entry);
      this.#changes.add(entry);
      return false;
    }
    if (sequence <= entry.highest && nowMicros - entry.seenAtMicros < KEPT_MICROS) return true;
    entry.highest = sequence;
    entry.seenAtMicros = nowMicros;
    this.#changes.touch(entry);
    return false;
  }

  /** Does nothing where there is one already. */
  restore(entry: SequenceEntry): void {
    if (this.#find(entry.nodeID, entry.bootID) !== undefined) return;
    this.#put(entry);
    this.#changes.addStored(entry);
  }

  /** Forgets, at each full hour of the partition's time, what was not seen for 7 days and up to an hour. */
  sweep(nowMicros: number): void {
    const latest = hourOf(nowMicros) - KEPT_HOURS - 1;
    for (const [nodeID, boots] of this.#nodes) {
      for (const [bootID, entry] of boots) {
        if (hourOf(entry.seenAtMicros) > latest) continue;
        boots.delete(bootID);
        this.#size -= 1;
        if (this.#latest === entry) this.#latest = undefined;
        this.#changes.remove(entry);
      }
      if (boots.size === 0) this.#nodes.delete(nodeID);
    }
  }

  *entries(): Generator<SequenceEntry> {
    for (const boots of this.#nodes.values()) yield* boots.values();
  }

  #find(nodeID: string, bootID: string): SequenceEntry | undefined {
    const latest = this.#latest;
    if (latest?.bootID === bootID && latest.nodeID === nodeID) return latest;
    const entry = this.#nodes.get(nodeID)?.get(bootID);
    this.#latest = entry;
    return entry;
  }

  #put(entry: SequenceEntry): void {
    let boots = this.#nodes.get(entry.nodeID);
    if (boots === undefined) this.#nodes.set(entry.nodeID, (boots = new Map<string, SequenceEntry>()));
    boots.set(entry.bootID, entry);
    this.#latest = entry;
    this.#size += 1;
  }
}

export function hourOf(micros: number): number {
  return Math.floor(micros / HOUR_IN_MICROS);
}
