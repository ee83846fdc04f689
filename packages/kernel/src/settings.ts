// The map `settings`: one element, of which programs read single words, so single words are what is written.
import { randomBytes } from 'node:crypto';
import type { Binding } from '@alert-throttle/native';
import { KernelError } from './errors.ts';
import * as layout from './layout.ts';
import { limitsOf, nextLimitsWord, type Limits, type LimitsInForce } from './limits.ts';
import { u32Key, wordsOf, type Maps } from './maps.ts';
import type { Hasher } from './rule-entries.ts';

const { offsets } = layout.settings;

/** Generation of the set that decides and emits; 0: none. */
export function activeOf({ active }: layout.SettingsValue): number {
  return active % layout.ACTIVE_MOVING;
}

export class Settings {
  readonly #maps: Maps;

  /** A map that was just made gets its secret here; no program has seen it yet. */
  constructor(maps: Maps) {
    this.#maps = maps;
    const { layout_version: version } = this.read();
    if (version === 0) this.#initialize();
    else if (version !== layout.LAYOUT_VERSION)
      throw new KernelError(
        'BAD_OBJECT',
        `the pinned maps are of layout ${version}, this is ${layout.LAYOUT_VERSION}`,
        'Take the kernel part down and start again: alertctl kernel detach.',
      );
  }

  read(): layout.SettingsValue {
    return layout.settings.decode(
      this.#maps.lookup('settings', u32Key(0)) ?? Buffer.alloc(layout.settings.size),
    );
  }

  #initialize(): void {
    const secret = wordsOf(randomBytes(16));
    this.#store(offsets.hash_secret, secret);
    this.#store(offsets.layout_version, [BigInt(layout.LAYOUT_VERSION)]);
  }

  get active(): number {
    return activeOf(this.read());
  }

  /** The set of programs that decides from now on. */
  set active(generation: number) {
    this.#store(offsets.layout_version, [(BigInt(generation) << 32n) | BigInt(layout.LAYOUT_VERSION)]);
  }

  /** The active set, which is a bridge, moves the windows from now on; until the next set is active. */
  moveWindows(): void {
    this.#maps.changeBits('settings', 0, offsets.active, { clear: 0, set: layout.ACTIVE_MOVING });
  }

  limits(profile: number): LimitsInForce {
    return limitsOf(this.#limitsWord(profile));
  }

  setLimits(profile: number, limits: Limits): void {
    const word = nextLimitsWord(this.#limitsWord(profile), limits);
    this.#store(offsets.limits + profile * 8, [word]);
  }

  setFailClosed(closed: boolean): void {
    this.#maps.storeU32('settings', 0, offsets.fail_closed, closed ? 1 : 0);
  }

  setInitMntNs(inode: number): void {
    this.#maps.storeU32('settings', 0, offsets.init_mnt_ns, inode);
  }

  setRealtimeOffset(offsetNs: bigint): void {
    this.#store(offsets.realtime_offset_ns, [BigInt.asUintN(64, offsetNs)]);
  }

  hasher(binding: Binding): Hasher {
    const secret = BigUint64Array.from(this.read().hash_secret);
    return {
      path: (path) => binding.hashPath(secret, path),
      name: (text) => binding.hashName(secret, text),
    };
  }

  #limitsWord(profile: number): bigint {
    const word = this.read().limits[profile];
    if (word === undefined)
      throw new RangeError(`profile ${profile}: there are ${layout.PROFILES_MAX}, from 0 on`);
    return word;
  }

  #store(offset: number, words: readonly bigint[]): void {
    this.#maps.storeWords('settings', 0, offset, words);
  }
}
