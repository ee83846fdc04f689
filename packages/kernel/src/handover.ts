// Maps of another size take over while programs decide and containers fire: no access is open meanwhile, no alert is
// raised twice, no window begins anew. The windows are moved by programs (bpf/handover.bpf.h); the rest is here.
//
//   1 load      the bridge: a set that knows the maps before, and the new ones, which it has pinned in its own folder
//   2 fill      rules, containers and their cgroups are copied
//   3 activate  it decides, in the windows of the map before; the set before goes
//   4 move      the windows move; when the map before has none left,
//   5 rename    the new maps take the places of those before, and the set after is loaded as in any upgrade
//
// A producer that dies in 1 or 2 leaves a set that never was active, which the next start removes; after that the next
// start finds the bridge active, and goes on.
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Binding, Handle } from '@alert-throttle/native';
import { canResize, carry, checkFits } from './carry.ts';
import { KernelError } from './errors.ts';
import { BPF_F_LOCK, Maps } from './maps.ts';
import { unpinAll, type PinnedSet, type Pins } from './pins.ts';
import {
  adoptMaps,
  loadAndAttach,
  MAP_BEFORE,
  MOVER,
  openObject,
  pinSet,
  THROTTLE_MAP,
  type Program,
} from './program-set.ts';
import { Settings } from './settings.ts';
import { decodeThrottle } from './throttle-map.ts';
import { closeAll } from './view.ts';

export interface HandOver {
  readonly binding: Binding;
  readonly object: string;
  /** Of the object. */
  readonly digest: string;
  readonly pins: Pins;
  /** Wanted entries by map. */
  readonly entries: ReadonlyMap<string, number>;
}

/** Windows move within milliseconds; a program that reports one may have been preempted for longer. */
const MOVE_TRIES = 500;
const MOVE_PAUSE_MS = 20;

/**
 * The set that decides now: `current` where no map that can be replaced has another size than wanted, else the bridge,
 * which has done its work. Throws KernelError BAD_SIZES where something does not fit, before anything is changed.
 */
export function handOver(options: HandOver, current: PinnedSet): PinnedSet {
  const owned: Handle[] = [];
  try {
    const before = opened(options, options.pins.maps, owned);
    if (current.bridge) {
      const after = opened(options, join(current.folder, 'maps'), owned);
      // A producer that died right after the switch may have left a container marked as starting that is not.
      carry(
        before,
        after,
        after.names.filter((map) => map === 'containers'),
      );
      finish(options, current, before, after);
      return current;
    }
    const resized = toResize(options, before);
    if (resized.size === 0) return current;
    for (const [map, entries] of resized) checkFits(before, map, entries);
    const bridge = options.pins.createSet(current.generation + 1, options.digest, true);
    const after = load(options, bridge, before, [...resized.keys()], owned);
    activate(options, bridge, before, after);
    finish(options, bridge, before, after);
    return bridge;
  } finally {
    closeAll(owned);
  }
}

function opened({ binding }: HandOver, folder: string, owned: Handle[]): Maps {
  const handles = adoptMaps(binding, folder);
  owned.push(...handles.values());
  return new Maps(binding, handles);
}

/** Wanted entries of the maps that shall be replaced. */
function toResize({ binding, object, entries }: HandOver, before: Maps): ReadonlyMap<string, number> {
  const file = new binding.ObjectFile(object);
  const canBridge = file.maps().some(({ name }) => name === MAP_BEFORE);
  file.close();
  const changed = [...entries].filter(
    ([map, wanted]) => canResize(map) && before.has(map) && before.info(map).maxEntries !== wanted,
  );
  return new Map(canBridge ? changed : []);
}

/** Loaded, attached, filled and pinned; it decides nothing yet. The maps that it has of its own. */
function load(
  { binding, object, pins, entries }: HandOver,
  bridge: PinnedSet,
  before: Maps,
  maps: readonly string[],
  owned: Handle[],
): Maps {
  const resized = new Map(maps.map((map) => [map, join(bridge.folder, 'maps', map)]));
  const { generation } = bridge;
  try {
    const file = openObject({ binding, object, generation, mapFolder: pins.maps, entries, resized });
    try {
      const loaded = loadAndAttach(binding, file, before.handle(THROTTLE_MAP));
      owned.push(...loaded.maps.values());
      for (const { handle, link } of loaded.programs)
        owned.push(...[handle, link].filter((one) => one !== undefined));
      checkMover(loaded.programs);
      const after = new Maps(binding, new Map([...loaded.maps].filter(([map]) => resized.has(map))));
      carry(before, after, maps);
      pinSet(binding, bridge, loaded.programs);
      return after;
    } finally {
      file.close();
    }
  } catch (error) {
    unpinAll(bridge.folder);
    throw error;
  }
}

function checkMover(programs: readonly Program[]): void {
  const mover = programs.find(({ name }) => name === MOVER);
  if (mover?.link) return;
  throw new KernelError(
    'KERNEL_REFUSED',
    `windows cannot be moved to maps of other sizes: ${mover?.reason ?? `there is no ${MOVER}`}`,
    'Set the sizes of before; or take the kernel part down first, which forgets all windows: alertctl kernel detach.',
  );
}

/** From here on the bridge decides, in the windows before. */
function activate({ binding, pins }: HandOver, bridge: PinnedSet, before: Maps, after: Maps): void {
  new Settings(before).active = bridge.generation;
  binding.synchronizePrograms();
  // What programs of the set before have changed since it was copied.
  carry(before, after, after.names);
  for (const { folder } of pins.sets()) if (folder !== bridge.folder) unpinAll(folder);
}

function finish({ binding, pins }: HandOver, bridge: PinnedSet, before: Maps, after: Maps): void {
  for (const { folder } of pins.sets()) if (folder !== bridge.folder) unpinAll(folder);
  if (after.has(THROTTLE_MAP)) {
    new Settings(before).moveWindows();
    binding.synchronizePrograms();
    moveAll(binding, join(bridge.folder, 'links', MOVER), before);
  }
  for (const map of after.names) renameSync(join(bridge.folder, 'maps', map), join(pins.maps, map));
}

function moveAll(binding: Binding, link: string, before: Maps): void {
  const iterator = binding.openPinned(link);
  try {
    for (let tries = 0; tries < MOVE_TRIES; tries++) {
      binding.runIterator(iterator);
      const left = before.entries(THROTTLE_MAP, BPF_F_LOCK).map(({ value }) => decodeThrottle(value));
      if (left.every((entry) => entry === undefined)) return;
      pause(MOVE_PAUSE_MS);
    }
  } finally {
    iterator.close();
  }
  throw new KernelError(
    'NO_ROOM',
    'more containers have a window now than the new size has room for',
    'The containers are enforced as before. Start again when some of them have ended.',
  );
}

/** The start is not over before: nothing else may run. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
