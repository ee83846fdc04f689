// What user space and the cgroup programs wrote, from maps of one size into those of another, before and while another
// set of programs takes over (handover.ts). Windows are not among it: only programs change those.
import { KernelError } from './errors.ts';
import * as layout from './layout.ts';
import { u32Key, wordsOf, type Maps } from './maps.ts';
import { decodeThrottle } from './throttle-map.ts';
import { THROTTLE_MAP } from './program-set.ts';

type Entry = ReturnType<Maps['entries']>[number];

interface Carrier {
  /** Entries that the other map needs. */
  readonly needs: (entries: readonly Entry[]) => number;
  readonly carry: (from: Maps, to: Maps, map: string) => void;
}

const hash: Carrier = {
  needs: (entries) => entries.length,
  carry: (from, to, map) => {
    const entries = from.entries(map);
    to.updateAll(
      map,
      entries.map(({ key }) => key),
      entries.map(({ value }) => value),
    );
  },
};

/** Elements keep their places, as others refer to these. */
const array: Carrier = {
  needs: (entries) => entries.findLastIndex(({ value }) => isUsed(value)) + 1,
  carry: (from, to, map) => {
    const used = from.entries(map).filter(({ value }) => isUsed(value));
    to.updateAll(
      map,
      used.map(({ key }) => key),
      used.map(({ value }) => value),
    );
  },
};

const { offsets } = layout.container;

const CARRIERS: Readonly<Record<string, Carrier>> = {
  rulesets: array,
  names: array,
  rules: hash,
  hints: hash,
  window_requests: hash,
  members: { needs: hash.needs, carry: carryMembers },
  containers: { needs: array.needs, carry: carryContainers },
  [THROTTLE_MAP]: {
    needs: (entries) => entries.filter(({ value }) => decodeThrottle(value) !== undefined).length,
    carry: () => undefined,
  },
};

/** Whether a map of this name can be replaced by one of another size while the programs decide. */
export function canResize(map: string): boolean {
  return CARRIERS[map] !== undefined;
}

/** Throws KernelError BAD_SIZES where what is in a map does not fit into one of `entries`. */
export function checkFits(from: Maps, map: string, entries: number): void {
  const needed = CARRIERS[map]?.needs(from.entries(map)) ?? 0;
  if (needed > entries)
    throw new KernelError(
      'BAD_SIZES',
      `map ${map} was made for ${from.info(map).maxEntries}, and needs ${needed}: ${entries} are too few`,
      `Raise the size to ${needed} or more; or take the kernel part down first, which forgets all windows: alertctl kernel detach.`,
    );
}

export function carry(from: Maps, to: Maps, maps: Iterable<string>): void {
  for (const map of maps) CARRIERS[map]?.carry(from, to, map);
}

/** A child cgroup that is made meanwhile is in both maps as soon as its parent is; what is removed goes from both. */
const MAX_LISTS = 100;

function carryMembers(from: Maps, to: Maps, map: string): void {
  let known = new Map<string, Entry>();
  for (let lists = 0; lists < MAX_LISTS; lists++) {
    const now = new Map(from.entries(map).map((entry) => [entry.key.toString('hex'), entry]));
    const fresh = [...now].filter(([key]) => !known.has(key));
    const gone = [...known].filter(([key]) => !now.has(key));
    for (const [, { key, value }] of fresh) to.update(map, key, value);
    for (const [, { key }] of gone) to.remove(map, key);
    if (lists > 0 && fresh.length === 0 && gone.length === 0) return;
    known = now;
  }
}

/** Those that are there already have begun meanwhile, at most: programs clear that flag, each set in its own map. */
function carryContainers(from: Maps, to: Maps, map: string): void {
  const before = from.entries(map);
  const after = to.entries(map);
  before.forEach(({ value }, slot) => {
    const there = after[slot]?.value;
    if (!isUsed(value)) return;
    if (there && isUsed(there)) {
      const clear = layout.CONTAINER_STARTING & ~value.readUInt32LE(offsets.flags);
      if (clear !== 0) to.changeBits(map, slot, offsets.flags, { clear, set: 0 });
    } else to.storeWords(map, slot, 0, wordsOf(value));
  });
  // What an exec cleared while it was copied.
  if (from.entries(map).some(({ value }, slot) => hasStarted(value, to.lookup(map, u32Key(slot)))))
    carryContainers(from, to, map);
}

function hasStarted(before: Buffer, after: Buffer | undefined): boolean {
  if (!after || !isUsed(before)) return false;
  const started = after.readUInt32LE(offsets.flags) & ~before.readUInt32LE(offsets.flags);
  return (started & layout.CONTAINER_STARTING) !== 0;
}

function isUsed(value: Buffer): boolean {
  return value.some((byte) => byte !== 0);
}
