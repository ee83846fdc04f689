// Which cgroups are containers, and which rule set and profile of limits each has: maps `containers` and `members`.
//
// `members` is an index that saves the programs a walk: a cgroup that is not in it is the container's that one of its
// ancestors is, once `members_missed` says that there are such. So what is below a container may be left out, or put out
// to make room, and nothing escapes; the containers' own cgroups have to be in it.
import { KernelError } from './errors.ts';
import * as layout from './layout.ts';
import { u32Key, u64Key, wordsOf, type Maps } from './maps.ts';

export interface ContainerFacts {
  readonly cgroupId: bigint;
  readonly profile: number;
  readonly privileged: boolean;
  /** For people. */
  readonly pidNs: number;
  readonly mntNs: number;
  /** Device of the root filesystem in the kernel's encoding (major << 20 | minor); 0n: unknown. */
  readonly rootDev: bigint;
  /** Inode of the root directory where it is not the filesystem's own root; else 0n. */
  readonly rootIno: bigint;
}

export interface RegisteredContainer extends ContainerFacts {
  readonly ruleSet: number | undefined;
}

interface Slot {
  readonly slot: number;
  container: RegisteredContainer;
  /** Its cgroups in `members`, those aside that programs have added since they were listed, which go as they came. */
  members: ReadonlySet<bigint>;
}

const { offsets } = layout.container;
/** Of a known container, what is user space's; the rest is the programs'. */
const WRITTEN_BYTES = offsets.children;
/** In a known container: all of these at once, as programs change flags beside them. */
const FLAGS_OF_OURS = layout.CONTAINER_PRIVILEGED;

/** A child cgroup that is made while its siblings are listed shows in the next list; a fork bomb of cgroups must end too. */
const MAX_LISTS = 100;
/** A container may take that part of `members` for cgroups below its own that are there when it is registered, and the
 * same for those that it makes later. */
const SHARE = 1 / 16;
const MEMBERS_MISSED = 'members_missed';

export class Containers {
  readonly #maps: Maps;
  readonly #slots = new Map<bigint, Slot>();
  readonly #capacity: number;
  readonly #share: number;
  readonly #free: number[] = [];
  /** No longer a container's, but a program may still be reading them. */
  #limbo: number[] = [];

  constructor(maps: Maps) {
    this.#maps = maps;
    this.#capacity = maps.info('containers').maxEntries;
    this.#share = Math.ceil(maps.info('members').maxEntries * SHARE);
    const members = this.#membersByContainer();
    maps.entries('containers').forEach(({ value }, slot) => {
      const container = decodeContainer(value);
      if (!container) return this.#free.push(slot);
      const { cgroupId } = container;
      return this.#slots.set(cgroupId, { slot, container, members: members.get(cgroupId) ?? new Set() });
    });
  }

  list(): RegisteredContainer[] {
    return [...this.#slots.values()].map(({ container }) => container);
  }

  get(cgroupId: bigint): RegisteredContainer | undefined {
    return this.#slots.get(cgroupId)?.container;
  }

  /** Numbers of the rule sets that containers have. */
  referenced(): Set<number> {
    const numbers = this.list().map(({ ruleSet }) => ruleSet);
    return new Set(numbers.filter((number) => number !== undefined));
  }

  /**
   * `starting`: its first program is not executed yet. Of one that is registered already, that it is not starting any more
   * is taken over, as the kernel may have missed its exec; the contrary is not. `descendants` lists the cgroups below,
   * after the container's own is a member: from then on the programs hand the membership to children that are made, and
   * it is asked until it names none that is new. Throws NO_ROOM; a container that was not registered before is not
   * registered then.
   */
  register(container: RegisteredContainer, starting: boolean, descendants: () => readonly bigint[]): void {
    const known = this.#slots.get(container.cgroupId);
    const slot = known?.slot ?? this.#free.shift();
    if (slot === undefined) throw noRoom('containers', this.#capacity);
    if (known) this.#rewrite(slot, container, starting);
    else {
      const words = wordsOf(encodeContainer(container, starting, this.#share));
      this.#maps.storeWords('containers', slot, 0, words);
    }
    const entry: Slot = { slot, container, members: known?.members ?? new Set() };
    this.#slots.set(container.cgroupId, entry);
    try {
      entry.members = this.#addMembers(container.cgroupId, slot, descendants);
    } catch (error) {
      if (!known) this.remove(container.cgroupId);
      throw error;
    }
  }

  /** One access: every decision is made under the old rule set or under the new one. */
  setRuleSet(cgroupId: bigint, ruleSet: number | undefined): void {
    const entry = this.#slots.get(cgroupId);
    if (!entry) throw new RangeError(`cgroup ${cgroupId} is not registered`);
    const word = ruleSet === undefined ? layout.NO_RULESET : BigInt(ruleSet);
    this.#maps.storeWords('containers', entry.slot, offsets.ruleset, [word]);
    entry.container = { ...entry.container, ruleSet };
  }

  /** Whether it was registered. Its slot is used again after `settle`. */
  remove(cgroupId: bigint): boolean {
    const entry = this.#slots.get(cgroupId);
    if (!entry) return false;
    // Cgroups that it has made go with their removal, in the kernel; what is still there then is nobody's.
    this.#maps.removeAll('members', [u64Key(cgroupId), ...[...entry.members].map(u64Key)]);
    this.#maps.storeWords('containers', entry.slot, 0, [0n]);
    this.#slots.delete(cgroupId);
    this.#limbo.push(entry.slot);
    return true;
  }

  get unsettled(): boolean {
    return this.#limbo.length > 0;
  }

  /** Every program run that had begun when the last container was removed has ended. */
  settle(): void {
    this.#free.push(...this.#limbo);
    this.#limbo = [];
  }

  /** Programs decide by it meanwhile, and clear AT_CONTAINER_STARTING. */
  #rewrite(slot: number, container: RegisteredContainer, starting: boolean): void {
    const encoded = encodeContainer(container, false, this.#share);
    const set = container.privileged ? layout.CONTAINER_PRIVILEGED : 0;
    const clear = (FLAGS_OF_OURS & ~set) | (starting ? 0 : layout.CONTAINER_STARTING);
    const words = wordsOf(encoded.subarray(offsets.pid_ns, WRITTEN_BYTES));
    this.#maps.storeWords('containers', slot, offsets.pid_ns, words);
    this.#maps.storeU32('containers', slot, offsets.profile, container.profile);
    this.#maps.changeBits('containers', slot, offsets.flags, { clear, set });
    this.#maps.storeWords('containers', slot, offsets.ruleset, [encoded.readBigUInt64LE(offsets.ruleset)]);
  }

  #addMembers(cgroupId: bigint, slot: number, descendants: () => readonly bigint[]): ReadonlySet<bigint> {
    const member = layout.member.encode({ container: cgroupId, slot });
    const members = new Set<bigint>();
    this.#addOwn(cgroupId, member);
    members.add(cgroupId);
    for (let lists = 0; lists < MAX_LISTS; lists++) {
      const fresh = descendants().filter((id) => !members.has(id));
      if (fresh.length === 0) return members;
      for (const id of fresh) {
        if (members.size > this.#share || !this.#tryToAdd(id, member)) {
          this.#leaveOut();
          return members;
        }
        members.add(id);
      }
    }
    this.#leaveOut();
    return members;
  }

  /** The cgroup of a container itself: others' children make room for it. */
  #addOwn(cgroupId: bigint, member: Buffer): void {
    if (this.#tryToAdd(cgroupId, member)) return;
    this.#makeRoom();
    if (!this.#tryToAdd(cgroupId, member)) throw this.#noRoomForMembers();
  }

  #tryToAdd(id: bigint, member: Buffer): boolean {
    try {
      this.#maps.update('members', u64Key(id), member);
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'E2BIG')) throw error;
      return false;
    }
  }

  /** From now on cgroups that are no members are looked for by their ancestors. Throws NO_ROOM where programs cannot. */
  #leaveOut(): void {
    if (!this.#maps.has(MEMBERS_MISSED)) throw this.#noRoomForMembers();
    this.#maps.update(MEMBERS_MISSED, u32Key(0), u64Key(1n));
  }

  /** Puts out what is nobody's any more, and of the containers that have most, what lies below them. */
  #makeRoom(): void {
    this.#leaveOut();
    const all = [...this.#membersByContainer()];
    const nobodys = all.filter(([container]) => !this.#slots.has(container)).flatMap(([, ids]) => [...ids]);
    const [largest] = all
      .filter(([container]) => this.#slots.has(container))
      .sort(([, one], [, other]) => other.size - one.size)
      .map(([container, ids]) => [...ids].filter((id) => id !== container));
    this.#maps.removeAll('members', [...nobodys, ...(largest ?? [])].map(u64Key));
  }

  #membersByContainer(): Map<bigint, Set<bigint>> {
    const all = new Map<bigint, Set<bigint>>();
    for (const { key, value } of this.#maps.entries('members')) {
      const { container } = layout.member.decode(value);
      const ids = all.get(container) ?? new Set();
      all.set(container, ids.add(key.readBigUInt64LE()));
    }
    return all;
  }

  #noRoomForMembers(): KernelError {
    return noRoom('members', this.#maps.info('members').maxEntries);
  }
}

function encodeContainer(container: RegisteredContainer, starting: boolean, share: number): Buffer {
  return layout.container.encode({
    container: container.cgroupId,
    ruleset: container.ruleSet === undefined ? layout.NO_RULESET : BigInt(container.ruleSet),
    profile: container.profile,
    flags:
      (container.privileged ? layout.CONTAINER_PRIVILEGED : 0) | (starting ? layout.CONTAINER_STARTING : 0),
    pid_ns: container.pidNs,
    mnt_ns: container.mntNs,
    root_dev: container.rootDev,
    root_ino: container.rootIno,
    children: 0,
    children_max: share,
  });
}

function decodeContainer(bytes: Buffer): RegisteredContainer | undefined {
  const value = layout.container.decode(bytes);
  if (value.container === 0n) return undefined;
  return {
    cgroupId: value.container,
    ruleSet: value.ruleset === layout.NO_RULESET ? undefined : Number(value.ruleset),
    profile: value.profile,
    privileged: (value.flags & layout.CONTAINER_PRIVILEGED) !== 0,
    pidNs: value.pid_ns,
    mntNs: value.mnt_ns,
    rootDev: value.root_dev,
    rootIno: value.root_ino,
  };
}

function noRoom(size: string, capacity: number): KernelError {
  return new KernelError(
    'NO_ROOM',
    `more than the ${capacity} ${size} that the kernel maps were made for`,
    `Raise the size ${size}; it takes effect after alertctl kernel detach.`,
  );
}
