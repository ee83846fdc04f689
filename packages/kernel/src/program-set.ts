// A set of programs: loaded, attached and pinned, or adopted from its pins. It decides nothing until its generation is
// the active one in `settings`, so a new set can be attached beside the old one.
import { join } from 'node:path';
import {
  isNativeError,
  type Binding,
  type Handle,
  type ObjectFile,
  type ObjectProgram,
} from '@alert-throttle/native';
import { isUnderSeccomp } from './environment.ts';
import { KernelError } from './errors.ts';
import { namesIn, type PinnedSet } from './pins.ts';

export interface Program {
  readonly name: string;
  /** Section of the object: `lsm/file_open`. */
  readonly hook: string;
  readonly handle: Handle | undefined;
  readonly link: Handle | undefined;
  /** Why it is not attached. */
  readonly reason: string | undefined;
}

export interface ProgramStatus {
  readonly name: string;
  readonly hook: string;
  readonly attached: boolean;
  readonly reason: string | undefined;
  /** Runs that the kernel skipped because the program was interrupted on the same CPU. */
  readonly recursionMisses: bigint;
  /** 0 where kernel.bpf_stats_enabled is off. */
  readonly runCount: bigint;
  readonly runTimeNs: bigint;
}

/** The constants in the object that tell a set its generation, and whether it is a bridge. */
const GENERATION = 'at_generation';
const BRIDGE = 'at_bridge';
export const THROTTLE_MAP = 'kubearmor_alert_throttle';
/** In a bridge, the throttle map of the set before. */
export const MAP_BEFORE = 'throttle_before';
/** Only a bridge has this program: it moves what is in the map that it iterates over. */
export const MOVER = 'at_move_windows';
/** Of which user space stores single words. */
const MMAPABLE = ['settings', 'containers'];
/** Memory that the programs of one set use while they run; another set brings its own. */
const OF_ONE_SET = ['scratch', 'births', 'execs', MAP_BEFORE];

export interface Loaded {
  readonly programs: readonly Program[];
  readonly maps: ReadonlyMap<string, Handle>;
}

export interface LoadOptions {
  readonly binding: Binding;
  readonly object: string;
  readonly generation: number;
  readonly mapFolder: string;
  /** Wanted entries; a map that is pinned already keeps what it has. */
  readonly entries: ReadonlyMap<string, number>;
  /** Maps that are made anew although they are pinned, and where these are pinned: the set is a bridge. */
  readonly resized?: ReadonlyMap<string, string>;
}

/** Opens the object, uses the pinned maps, pins those that are new, loads the programs whose hooks this kernel has. */
export function openObject(options: LoadOptions): ObjectFile {
  const { binding, object, generation, mapFolder, entries, resized } = options;
  const file = orBadObject(() => new binding.ObjectFile(object));
  const pinned = new Set(namesIn(mapFolder));
  for (const { name, internal } of file.maps()) {
    if (MMAPABLE.includes(name)) file.setMmapable(name);
    const isBefore = name === MAP_BEFORE && resized?.has(THROTTLE_MAP) === true;
    if (internal || (OF_ONE_SET.includes(name) && !isBefore)) continue;
    const path = resized?.get(name) ?? join(mapFolder, isBefore ? THROTTLE_MAP : name);
    const keeps = isBefore || (pinned.has(name) && resized?.has(name) !== true);
    const wanted = keeps ? pinnedEntries(binding, path) : entries.get(name);
    if (wanted !== undefined) file.setMaxEntries(name, wanted);
    file.setPinPath(name, path);
  }
  for (const [constant, value] of [
    [GENERATION, generation],
    ...(resized ? [[BRIDGE, 1] as const] : []),
  ] as const)
    if (!file.setConstant(constant, value)) {
      file.close();
      throw new KernelError('BAD_OBJECT', `${object} has no constant ${constant}`, REBUILD);
    }
  return file;
}

const REBUILD = 'Build again: npm run build:kernel.';

/** Programs of an object that a set has. */
export function programsOf(file: ObjectFile, bridge: boolean): readonly ObjectProgram[] {
  return file.programs().filter(({ name }) => bridge || name !== MOVER);
}

/**
 * Loads an opened object and attaches its programs; what cannot be attached is named in its `reason`. `before`: of a
 * bridge, the throttle map of the set before, which the object has under the name that the kernel knows it by.
 */
export function loadAndAttach(binding: Binding, file: ObjectFile, before?: Handle): Loaded {
  const programs = programsOf(file, before !== undefined);
  for (const { name } of file.programs())
    if (!programs.some((program) => program.name === name)) file.setAutoload(name, false);
  const missing = missingHooks(
    binding,
    programs.map(({ section }) => section),
  );
  for (const { name, section } of programs) if (missing.has(section)) file.setAutoload(name, false);
  try {
    file.load();
  } catch (error) {
    throw loadError(error);
  }
  const maps = new Map(
    file
      .maps()
      .flatMap(({ name, internal }) =>
        internal || OF_ONE_SET.includes(name) ? [] : [[name, file.map(name)] as const],
      ),
  );
  return {
    maps,
    programs: programs.map(({ name, section }): Program => {
      if (missing.has(section))
        return {
          name,
          hook: section,
          handle: undefined,
          link: undefined,
          reason: `this kernel has no ${section}`,
        };
      const handle = file.program(name);
      try {
        const iterated = name === MOVER ? before : maps.get(THROTTLE_MAP);
        const link = file.attach(name, isIterator(section) ? iterated : undefined);
        return { name, hook: section, handle, link, reason: undefined };
      } catch (error) {
        if (!isNativeError(error)) throw error;
        return { name, hook: section, handle, link: undefined, reason: error.message };
      }
    }),
  };
}

export function pinSet(binding: Binding, { folder }: PinnedSet, programs: readonly Program[]): void {
  for (const { name, handle, link } of programs) {
    if (handle) binding.pin(handle, join(folder, 'programs', name));
    if (link) binding.pin(link, join(folder, 'links', name));
  }
}

/** `expected`: name and hook of all programs of the object; what has no link is found not to be attached. */
export function adoptSet(
  binding: Binding,
  { folder }: PinnedSet,
  expected: readonly { readonly name: string; readonly section: string }[],
): Program[] {
  const open = (part: string, name: string, present: readonly string[]) =>
    present.includes(name) ? binding.openPinned(join(folder, part, name)) : undefined;
  const programs = namesIn(join(folder, 'programs'));
  const links = namesIn(join(folder, 'links'));
  return expected.map(({ name, section }) => {
    const link = open('links', name, links);
    return {
      name,
      hook: section,
      handle: open('programs', name, programs),
      link,
      reason: link ? undefined : 'it was not attached when the programs were loaded',
    };
  });
}

/** Names and, as the object is not at hand, no hooks. */
export function pinnedPrograms({ folder }: PinnedSet): { readonly name: string; readonly section: string }[] {
  return namesIn(join(folder, 'programs')).map((name) => ({ name, section: '' }));
}

export function adoptMaps(binding: Binding, folder: string): Map<string, Handle> {
  return new Map(namesIn(folder).map((name) => [name, binding.openPinned(join(folder, name))]));
}

export function statusOf(binding: Binding, { name, hook, handle, link, reason }: Program): ProgramStatus {
  const info = handle && binding.programInfo(handle);
  return {
    name,
    hook,
    attached: link !== undefined,
    reason,
    recursionMisses: info?.recursionMisses ?? 0n,
    runCount: info?.runCount ?? 0n,
    runTimeNs: info?.runTimeNs ?? 0n,
  };
}

export function isIterator(section: string): boolean {
  return section.startsWith('iter/');
}

/** What the kernel's BTF has to have for a program of that section; undefined: nothing that could be looked up. */
function symbolOf(section: string): string | undefined {
  const [kind = '', target = ''] = section.split('/');
  switch (kind) {
    case 'lsm':
    case 'lsm.s':
      return `bpf_lsm_${target}`;
    case 'tp_btf':
      return `btf_trace_${target}`;
    case 'iter':
      return `bpf_iter_${target}`;
    case 'fentry':
    case 'fexit':
    case 'fmod_ret':
      return target;
    default:
      return undefined;
  }
}

function missingHooks(binding: Binding, sections: readonly string[]): Set<string> {
  const asked = sections.flatMap((section) => {
    const symbol = symbolOf(section);
    return symbol === undefined ? [] : [{ section, symbol }];
  });
  const present = binding.kernelHas(asked.map(({ symbol }) => symbol));
  return new Set(asked.filter((_, i) => present[i] !== true).map(({ section }) => section));
}

function pinnedEntries(binding: Binding, path: string): number {
  const map = binding.openPinned(path);
  try {
    return binding.mapInfo(map).maxEntries;
  } finally {
    map.close();
  }
}

function orBadObject<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!isNativeError(error)) throw error;
    throw new KernelError('BAD_OBJECT', error.message, REBUILD, { cause: error, log: error.log });
  }
}

function loadError(error: unknown): unknown {
  if (!isNativeError(error)) return error;
  const options = { cause: error, log: error.log };
  if (error.code === 'EPERM')
    return new KernelError(
      'NO_PERMISSION',
      isUnderSeccomp()
        ? `the kernel refused the programs, and a seccomp filter is on this process: ${error.message}`
        : `the kernel refused the programs: ${error.message}`,
      'With the capabilities in place, a seccomp profile without bpf(2) is the usual reason: allow it, or run unconfined.',
      options,
    );
  return new KernelError(
    'KERNEL_REFUSED',
    `the kernel refused the programs: ${lastLine(error.log) ?? error.message}`,
    'The whole message is in `log`; a kernel older than 6.1 is not supported.',
    options,
  );
}

function lastLine(log: string): string | undefined {
  return log
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line !== '');
}
