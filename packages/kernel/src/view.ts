// What can be read of the kernel part by anyone who may open its pins, while a producer runs or not.
import { loadBinding, type Binding, type Handle } from '@alert-throttle/native';
import { KernelError } from './errors.ts';
import * as layout from './layout.ts';
import { BPF_F_LOCK, Maps, u32Key } from './maps.ts';
import { Pins, unpinVersions, namesIn } from './pins.ts';
import { adoptMaps, adoptSet, pinnedPrograms, statusOf, type ProgramStatus } from './program-set.ts';
import { limitsOf, type LimitsInForce } from './limits.ts';
import { activeOf } from './settings.ts';
import { decodeThrottle, type ThrottleEntry } from './throttle-map.ts';
import type { Counter, Ring } from './layout.ts';

export const DEFAULT_PIN_DIR = '/sys/fs/bpf/alert-throttle';

export type Counters = Readonly<Record<Counter, bigint>>;

/** number = emitted + lost, but for what is being written. */
export interface RingCounters {
  readonly number: bigint;
  readonly emitted: bigint;
  readonly lost: bigint;
}

export interface KernelView {
  /** The overflow windows included: container 0. */
  throttleMap(): ThrottleEntry[];
  counters(): Counters;
  rings(): Readonly<Record<Ring, RingCounters>>;
  programs(): ProgramStatus[];
  limits(profile: number): LimitsInForce;
  /** Idempotent. */
  close(): void;
}

export interface InspectOptions {
  readonly pinDir?: string;
  readonly binding?: Binding;
}

/** Throws KernelError NOT_PINNED where nothing is, NO_PERMISSION, NO_ADDON. */
export function inspectKernel(options: InspectOptions = {}): KernelView {
  const binding = options.binding ?? bindingOrError();
  const pins = new Pins(options.pinDir ?? DEFAULT_PIN_DIR, layout.LAYOUT_VERSION);
  const handles = permitted(() => adoptMaps(binding, pins.maps));
  if (handles.size === 0)
    throw new KernelError(
      'NOT_PINNED',
      `nothing is pinned under ${pins.pinDir}`,
      'Start the producer with its kernel source on.',
    );
  const maps = new Maps(binding, handles);
  const active = activeGeneration(maps);
  const set = pins.sets().find(({ generation }) => generation === active);
  const programs = set ? permitted(() => adoptSet(binding, set, pinnedPrograms(set))) : [];
  const owned = [...handles.values(), ...programs.flatMap(({ handle, link }) => [handle, link])];
  return {
    throttleMap: () => throttleMap(maps),
    counters: () => counters(maps),
    rings: () => rings(maps),
    programs: () => programs.map((program) => statusOf(binding, program)),
    limits: (profile) => limitsIn(maps, profile),
    close: () => closeAll(owned),
  };
}

/**
 * Takes everything down: no access is refused any more. Throws BUSY while a producer runs, which would keep the programs
 * attached without their pins.
 */
export function detachKernel(options: InspectOptions = {}): boolean {
  const binding = options.binding ?? bindingOrError();
  const pinDir = options.pinDir ?? DEFAULT_PIN_DIR;
  if (namesIn(pinDir).length === 0) return false;
  const lock = lockOrBusy(binding, pinDir);
  unpinVersions(pinDir);
  lock.close();
  return true;
}

export function throttleMap(maps: Maps): ThrottleEntry[] {
  const own = maps.entries('kubearmor_alert_throttle', BPF_F_LOCK);
  const shared = maps.has('overflow_windows') ? maps.entries('overflow_windows', BPF_F_LOCK) : [];
  return [
    ...own.map(({ value }) => decodeThrottle(value)),
    ...shared.map(({ value }) => decodeThrottle(value)).filter((entry) => (entry?.matched ?? 0) > 0),
  ].filter((entry) => entry !== undefined);
}

export function counters(maps: Maps): Counters {
  const sums = layout.COUNTERS.map((name, i): [Counter, bigint] => {
    const perCpu = maps.lookup('counters', u32Key(i)) ?? Buffer.alloc(0);
    let sum = 0n;
    for (let at = 0; at < perCpu.length; at += 8) sum += perCpu.readBigUInt64LE(at);
    return [name, sum];
  });
  return Object.fromEntries(sums) as Record<Counter, bigint>;
}

export function rings(maps: Maps): Readonly<Record<Ring, RingCounters>> {
  const states = layout.RINGS.map((ring, i): [Ring, RingCounters] => {
    const value = maps.lookup('ring_states', u32Key(i)) ?? Buffer.alloc(layout.ringState.size);
    const { number, emitted, lost } = layout.ringState.decode(value);
    return [ring, { number, emitted, lost }];
  });
  return Object.fromEntries(states) as Record<Ring, RingCounters>;
}

export function lockOrBusy(binding: Binding, pinDir: string): Handle {
  try {
    return binding.lockFolder(pinDir);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    throw new KernelError(
      'BUSY',
      `another process uses ${pinDir}`,
      'Stop the producer of this node first, or give this one a directory of its own.',
      { cause: error },
    );
  }
}

export function bindingOrError(file?: string): Binding {
  try {
    return loadBinding(file);
  } catch (error) {
    throw new KernelError(
      'NO_ADDON',
      `the addon cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
      'Build it with npm run build:kernel; at run time it needs libbpf1, libelf1 and zlib1g.',
      { cause: error },
    );
  }
}

export function closeAll(handles: readonly (Handle | undefined)[]): void {
  for (const handle of handles) handle?.close();
}

function permitted<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
    throw new KernelError(
      'NO_PERMISSION',
      'the pinned maps may not be opened',
      'Run as root, or with CAP_BPF and as the owner of the pins.',
      { cause: error },
    );
  }
}

function activeGeneration(maps: Maps): number {
  return activeOf(settingsOf(maps));
}

function limitsIn(maps: Maps, profile: number): LimitsInForce {
  return limitsOf(settingsOf(maps).limits[profile] ?? 0n);
}

function settingsOf(maps: Maps): layout.SettingsValue {
  return layout.settings.decode(maps.lookup('settings', u32Key(0)) ?? Buffer.alloc(layout.settings.size));
}
