// From nothing, or from what an earlier producer left pinned, to a Kernel.
//
//   pinned set of the same object, active  ─▶ adopted: nothing is loaded
//   pinned set of another object           ─▶ this one is loaded and attached beside it, on the same maps; `activate`
//                                             switches, and takes the other down
//   a set that never became active         ─▶ taken down: its producer died halfway
import { existsSync, statSync } from 'node:fs';
import { OBJECT_FILE, type Binding, type Handle } from '@alert-throttle/native';
import { checkEnvironment, readEnvironment } from './environment.ts';
import { KernelError } from './errors.ts';
import { Kernel, type KernelParts } from './kernel.ts';
import * as layout from './layout.ts';
import { Maps } from './maps.ts';
import { enterOwnLinks } from './own-links.ts';
import { objectDigest, Pins, unpinAll, type PinnedSet } from './pins.ts';
import { adoptMaps, adoptSet, loadAndAttach, openObject, pinSet } from './program-set.ts';
import { Settings } from './settings.ts';
import { DEFAULT_SIZES, entriesByMap, type KernelSizes } from './sizes.ts';
import { bindingOrError, closeAll, DEFAULT_PIN_DIR, lockOrBusy } from './view.ts';

export interface KernelOptions {
  /** The compiled object; by default what the build made. */
  readonly object?: string;
  readonly addon?: string;
  readonly pinDir?: string;
  readonly cgroupRoot?: string;
  readonly sizes?: Partial<KernelSizes>;
  /** The mount namespace of the host; by default that of process 1, which a producer in the host's pid namespace sees. */
  readonly hostMountNamespace?: string;
}

/**
 * Programs loaded, attached and pinned, or adopted; they decide from `activate` on, and adopted ones already do. Throws
 * KernelError with a hint for whatever is missing; then nothing is left behind that was not there before.
 */
export function openKernel(options: KernelOptions = {}): Kernel {
  const { object = OBJECT_FILE, pinDir = DEFAULT_PIN_DIR, cgroupRoot = '/sys/fs/cgroup' } = options;
  const { hostMountNamespace = '/proc/1/ns/mnt' } = options;
  const binding = bindingOrError(options.addon);
  if (binding.layoutVersion !== layout.LAYOUT_VERSION || !existsSync(object))
    throw new KernelError(
      'BAD_OBJECT',
      existsSync(object)
        ? `the addon is of layout ${binding.layoutVersion}, this is ${layout.LAYOUT_VERSION}`
        : `${object} is not there`,
      'Build again: npm run build:kernel.',
    );
  const entries = entriesByMap({ ...DEFAULT_SIZES, ...options.sizes });
  const places = { pinDir, cgroupRoot };
  checkEnvironment(readEnvironment(places), places);
  const pins = new Pins(pinDir, layout.LAYOUT_VERSION);
  pins.create();
  const lock = lockOrBusy(binding, pinDir);
  const owned: (Handle | undefined)[] = [lock];
  try {
    const initMntNs = statSync(hostMountNamespace).ino;
    return open({ binding, object, pins, entries, owned, initMntNs });
  } catch (error) {
    closeAll(owned);
    throw error;
  }
}

interface Opening {
  readonly binding: Binding;
  readonly object: string;
  readonly pins: Pins;
  readonly entries: ReadonlyMap<string, number>;
  readonly owned: (Handle | undefined)[];
  readonly initMntNs: number;
}

function open(opening: Opening): Kernel {
  const { binding, object, pins, owned, entries, initMntNs } = opening;
  const digest = objectDigest(object);
  const active = activeGeneration(binding, pins);
  const found = pins.sets();
  for (const { folder, generation } of found) if (generation !== active) unpinAll(folder);
  const current = found.find(({ generation }) => generation === active);
  const parts =
    current?.object === digest
      ? adopt(opening, current)
      : load(
          opening,
          pins.createSet(Math.max(active, ...found.map(({ generation }) => generation)) + 1, digest),
        );
  owned.push(...parts.programs.flatMap(({ handle, link }) => [handle, link]));
  enterOwnLinks(
    binding,
    parts.maps,
    parts.programs.map(({ link }) => link),
    current,
  );
  return new Kernel({ ...parts, owned, initMntNs, notes: sizeNotes(parts.maps, entries) });
}

type Parts = Omit<KernelParts, 'owned' | 'notes' | 'initMntNs'>;

function adopt({ binding, object, pins, owned }: Opening, set: PinnedSet): Parts {
  const file = new binding.ObjectFile(object);
  const expected = file.programs();
  file.close();
  const handles = adoptMaps(binding, pins.maps);
  owned.push(...handles.values());
  const programs = adoptSet(binding, set, expected);
  return { binding, pins, set, adopted: true, maps: new Maps(binding, handles), programs };
}

function load({ binding, object, pins, entries, owned }: Opening, set: PinnedSet): Parts {
  const file = openObject({ binding, object, generation: set.generation, mapFolder: pins.maps, entries });
  try {
    const { programs, maps: handles } = loadAndAttach(binding, file);
    owned.push(...handles.values(), ...programs.flatMap(({ handle, link }) => [handle, link]));
    pinSet(binding, set, programs);
    return { binding, pins, set, adopted: false, maps: new Maps(binding, handles), programs };
  } catch (error) {
    unpinAll(set.folder);
    throw error;
  } finally {
    file.close();
  }
}

/** 0 where no set is. */
function activeGeneration(binding: Binding, pins: Pins): number {
  const handles = adoptMaps(binding, pins.maps);
  try {
    return handles.has('settings') ? new Settings(new Maps(binding, handles)).active : 0;
  } finally {
    closeAll([...handles.values()]);
  }
}

function sizeNotes(maps: Maps, entries: ReadonlyMap<string, number>): string[] {
  return [...entries].flatMap(([map, wanted]) => {
    if (!maps.has(map)) return [];
    const { maxEntries } = maps.info(map);
    if (maxEntries === wanted) return [];
    return [`map ${map} was made for ${maxEntries}, not ${wanted}: alertctl kernel detach makes it anew`];
  });
}
