// From nothing, or from what an earlier producer left pinned, to a Kernel.
//
//   pinned maps of other sizes than wanted ─▶ a bridge takes over first (handover.ts)
//   pinned set of the same object, active  ─▶ adopted: nothing is loaded
//   pinned set of another object           ─▶ this one is loaded and attached beside it, on the same maps; `activate`
//                                             switches, and takes the other down
//   a set that never became active         ─▶ taken down: its producer died halfway
import { existsSync, statSync } from 'node:fs';
import { APPARMOR_OBJECT_FILE, OBJECT_FILE, type Binding, type Handle } from '@alert-throttle/native';
import { checkEnvironment, readEnvironment, type Enforcer } from './environment.ts';
import { KernelError, named } from './errors.ts';
import { handOver } from './handover.ts';
import { Kernel, type KernelParts } from './kernel.ts';
import * as layout from './layout.ts';
import { Maps } from './maps.ts';
import { enterOwnLinks } from './own-links.ts';
import { objectDigest, Pins, unpinAll, type PinnedSet } from './pins.ts';
import { adoptMaps, adoptSet, loadAndAttach, openObject, pinSet, programsOf } from './program-set.ts';
import { Settings } from './settings.ts';
import { DEFAULT_SIZES, entriesByMap, type KernelSizes } from './sizes.ts';
import { bindingOrError, closeAll, DEFAULT_PIN_DIR, lockOrBusy } from './view.ts';

export interface KernelOptions {
  /** Who refuses: the programs themselves, or AppArmor, and the programs tell of it. Default: bpflsm. */
  readonly enforcer?: Enforcer;
  /** The compiled object; by default what the build made for the enforcer. */
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
  const { enforcer = 'bpflsm', pinDir = DEFAULT_PIN_DIR, cgroupRoot = '/sys/fs/cgroup' } = options;
  const { object = enforcer === 'apparmor' ? APPARMOR_OBJECT_FILE : OBJECT_FILE } = options;
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
  checkEnvironment(readEnvironment(places), places, enforcer);
  const pins = new Pins(pinDir, layout.LAYOUT_VERSION);
  named(
    `${pinDir} cannot be written to`,
    'Mount the BPF filesystem read-write for it, and let its user make folders there.',
    () => pins.create(),
  );
  const lock = lockOrBusy(binding, pinDir);
  const owned: (Handle | undefined)[] = [lock];
  try {
    const initMntNs = named(
      `${hostMountNamespace} cannot be seen`,
      'Mount proc without hidepid, and let the process trace others: CAP_SYS_PTRACE, no AppArmor profile that forbids it.',
      () => statSync(hostMountNamespace).ino,
    );
    return open({ binding, enforcer, object, pins, entries, owned, initMntNs });
  } catch (error) {
    closeAll(owned);
    throw error;
  }
}

interface Opening {
  readonly binding: Binding;
  readonly enforcer: Enforcer;
  readonly object: string;
  readonly pins: Pins;
  readonly entries: ReadonlyMap<string, number>;
  readonly owned: (Handle | undefined)[];
  readonly initMntNs: number;
}

function open(opening: Opening): Kernel {
  const { binding, enforcer, object, pins, owned, entries, initMntNs } = opening;
  const digest = objectDigest(object);
  const active = activeGeneration(binding, pins);
  const found = pins.sets();
  for (const { folder, generation } of found) if (generation !== active) unpinAll(folder);
  const pinned = found.find(({ generation }) => generation === active);
  const current = pinned && handOver({ binding, object, digest, pins, entries }, pinned);
  const next = Math.max(current?.generation ?? active, ...found.map(({ generation }) => generation)) + 1;
  const parts =
    current?.object === digest && !current.bridge
      ? adopt(opening, current)
      : load(opening, pins.createSet(next, digest));
  owned.push(...parts.programs.flatMap(({ handle, link }) => [handle, link]));
  enterOwnLinks(
    binding,
    parts.maps,
    parts.programs.map(({ link }) => link),
    current,
  );
  const notes = [...pins.others().map(otherLayout), ...sizeNotes(parts.maps, entries)];
  return new Kernel({ ...parts, enforcer, owned, initMntNs, notes });
}

type Parts = Omit<KernelParts, 'enforcer' | 'owned' | 'notes' | 'initMntNs'>;

function adopt({ binding, object, pins, owned }: Opening, set: PinnedSet): Parts {
  const file = new binding.ObjectFile(object);
  const expected = programsOf(file, false);
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

function otherLayout(folder: string): string {
  return `${folder} is of another layout and is taken down: windows begin anew, and events that are unread in its rings are lost`;
}

function sizeNotes(maps: Maps, entries: ReadonlyMap<string, number>): string[] {
  return [...entries].flatMap(([map, wanted]) => {
    if (!maps.has(map)) return [];
    const { maxEntries } = maps.info(map);
    if (maxEntries === wanted) return [];
    return [`map ${map} was made for ${maxEntries}, not ${wanted}: alertctl kernel detach makes it anew`];
  });
}
