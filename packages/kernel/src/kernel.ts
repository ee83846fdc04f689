// The kernel part of the producer: programs and maps as one object with an owner.
import type { Binding, Handle, RingReader } from '@alert-throttle/native';
import type { RuleSet } from '@alert-throttle/policy';
import { Containers, type ContainerFacts } from './containers.ts';
import type { Enforcer } from './environment.ts';
import { decodeBatch, type KernelEvent } from './events.ts';
import * as layout from './layout.ts';
import type { EndedBy, Ring } from './layout.ts';
import type { Limits, LimitsInForce } from './limits.ts';
import { u64Key, type Maps } from './maps.ts';
import { unpinAll, unpinVersions, type Pins, type PinnedSet } from './pins.ts';
import { isIterator, statusOf, type Program, type ProgramStatus } from './program-set.ts';
import { RuleSets, type RuleSetHandle } from './rule-sets.ts';
import { Settings } from './settings.ts';
import type { ThrottleEntry } from './throttle-map.ts';
import {
  closeAll,
  counters,
  rings,
  throttleMap,
  type Counters,
  type KernelView,
  type RingCounters,
} from './view.ts';

export interface NewContainer extends Omit<ContainerFacts, 'rootIno'> {
  /** 0n by default. */
  readonly rootIno?: bigint;
  /** Lists the cgroups below; asked after the container's own is known to the programs, until it names none that is new. */
  readonly descendants: () => readonly bigint[];
  readonly ruleSet: RuleSetHandle | undefined;
  /** Its first program is not executed yet: until then its tasks are the runtime's, and are let be. Default: false. */
  readonly starting?: boolean;
}

export interface KnownContainer extends ContainerFacts {
  /** Digest of its rule set: equal to `RuleSetHandle.digest` of the same content. */
  readonly ruleSetDigest: string | undefined;
}

/** Events of one batch, and what to call when they are safe; until then they stay in the rings, and no batch follows. */
export type OnBatch = (events: readonly KernelEvent[], release: () => void) => void;

/** What openKernel has put together. */
export interface KernelParts {
  readonly binding: Binding;
  readonly enforcer: Enforcer;
  readonly pins: Pins;
  readonly set: PinnedSet;
  readonly adopted: boolean;
  readonly notes: readonly string[];
  readonly maps: Maps;
  readonly programs: readonly Program[];
  readonly owned: readonly (Handle | undefined)[];
  /** Inode of the host's mount namespace: tasks of a container's cgroup that are still in it are the runtime's. */
  readonly initMntNs: number;
}

const RING_MAPS = ['enforcement_ring', 'audit_ring'];
const WINDOW_REQUESTS = 'window_requests';
/** Of each ring in one batch: a few hundred alerts. */
const BATCH_BYTES = 256 * 1024;

export class Kernel implements KernelView {
  /** The programs were found attached: they have decided all the time. */
  readonly adopted: boolean;
  /** What an operator should know: sizes that are not as configured. */
  readonly notes: readonly string[];
  readonly #parts: KernelParts;
  readonly #maps: Maps;
  readonly #settings: Settings;
  readonly #containers: Containers;
  readonly #ruleSets: RuleSets;
  readonly #reader: RingReader;
  readonly #sweeps: readonly Handle[];
  /** By cgroup id: windows that shall be closed, and why, once no program decides by their containers' rules any more. */
  readonly #windowsToClose = new Map<bigint, EndedBy>();
  #refusal: RuleSetHandle | undefined;
  #closed = false;

  constructor(parts: KernelParts) {
    this.#parts = parts;
    this.adopted = parts.adopted;
    this.notes = parts.notes;
    this.#maps = parts.maps;
    this.#settings = new Settings(parts.maps);
    this.#settings.setInitMntNs(parts.initMntNs);
    this.#settings.setRealtimeOffset(parts.binding.realtimeOffsetNs());
    this.#containers = new Containers(parts.maps);
    const hasher = this.#settings.hasher(parts.binding);
    this.#ruleSets = new RuleSets(parts.maps, hasher, this.#containers.referenced());
    this.#reader = new parts.binding.RingReader(
      RING_MAPS.map((ring) => parts.maps.handle(ring)),
      BATCH_BYTES,
    );
    this.#sweeps = parts.programs.flatMap(({ hook, link }) => (link && isIterator(hook) ? [link] : []));
  }

  /**
   * From now on these programs decide, and those of before are taken down. To be called when rule sets and containers
   * are in; without effect where the programs were adopted.
   */
  activate(): void {
    const { set, pins } = this.#parts;
    this.#settings.active = set.generation;
    for (const other of pins.sets()) if (other.folder !== set.folder) unpinAll(other.folder);
    for (const folder of pins.others()) unpinAll(folder);
  }

  /** Throws RangeError for values that the word has no room for. */
  setLimits(profile: number, limits: Limits): void {
    this.#settings.setLimits(profile, limits);
  }

  limits(profile: number): LimitsInForce {
    return this.#settings.limits(profile);
  }

  /** Closed: what cannot be judged is refused, and there are rules for containers whose own cannot be installed. */
  setFailClosed(closed: boolean): void {
    this.#settings.setFailClosed(closed);
    if (closed) this.#refusal ??= this.#ruleSets.installRefusal();
    else if (this.#refusal) {
      this.#ruleSets.release(this.#refusal);
      this.#refusal = undefined;
    }
  }

  /** Refuses everything; undefined where the node fails open: then such a container is without rules. */
  get ruleSetForFailed(): RuleSetHandle | undefined {
    return this.#refusal;
  }

  /** Each handle is given back with removeRuleSet. Throws KernelError NO_ROOM, and leaves everything as it was. */
  installRuleSet(ruleSet: RuleSet): RuleSetHandle {
    try {
      return this.#ruleSets.install(ruleSet);
    } catch (error) {
      // What is no longer used may just not have been swept out yet.
      if (!this.#settle()) throw error;
      return this.#ruleSets.install(ruleSet);
    }
  }

  /** The entries go with one of the next sweeps, when neither handle nor container nor a running program has them. */
  removeRuleSet(handle: RuleSetHandle): void {
    this.#ruleSets.release(handle);
  }

  /** A container that is registered already is replaced, in its place. Throws KernelError NO_ROOM. */
  registerContainer({ descendants, ruleSet, starting = false, rootIno = 0n, ...facts }: NewContainer): void {
    this.#containers.register({ ...facts, rootIno, ruleSet: ruleSet?.number }, starting, descendants);
    if (ruleSet) this.#keepWindow(facts.cgroupId);
  }

  /** Undefined: its last policy is gone, and its window ends with a report; under AppArmor when the container ends. */
  setRuleSet(cgroupId: bigint, ruleSet: RuleSetHandle | undefined): void {
    this.#containers.setRuleSet(cgroupId, ruleSet?.number);
    if (ruleSet) this.#keepWindow(cgroupId);
    // A window of the AppArmor path ends in the kernel, with its container.
    else if (this.#parts.enforcer === 'bpflsm') this.#windowsToClose.set(cgroupId, 'policy');
  }

  /** Its window ends with a report, where the end of its cgroup has not seen to that. */
  removeContainer(cgroupId: bigint): void {
    if (this.#containers.remove(cgroupId)) this.#windowsToClose.set(cgroupId, 'container');
  }

  /** Those that are registered; after an adoption, by the producer before this one. */
  containers(): KnownContainer[] {
    return this.#containers.list().map(({ ruleSet, ...facts }) => ({
      ...facts,
      ruleSetDigest: ruleSet === undefined ? undefined : this.#ruleSets.digest(ruleSet),
    }));
  }

  /** Calls back for each batch from another turn of the event loop on. Keeps the process alive until `close`. */
  start(onBatch: OnBatch): void {
    this.#reader.start((batch) => {
      if (this.#closed) return;
      try {
        onBatch(decodeBatch(batch), () => this.#reader.release());
      } catch (error) {
        // Node only warns of what is thrown into a native call; a bug in a consumer has to be an uncaught exception.
        setImmediate(() => {
          throw error;
        });
      }
    });
  }

  /** What is in the rings now, given back to them at once. For tools; not after `start`. */
  poll(): KernelEvent[] {
    const batch = this.#reader.read();
    if (!batch) return [];
    const events = decodeBatch(batch);
    this.#reader.release();
    return events;
  }

  /**
   * Each second: the clock, intervals whose time is over, reports that found no room, and what nobody uses any more.
   */
  sweep(): void {
    this.#settings.setRealtimeOffset(this.#parts.binding.realtimeOffsetNs());
    this.#settle();
    for (const link of this.#sweeps) this.#parts.binding.runIterator(link);
  }

  /** CLOCK_REALTIME - CLOCK_BOOTTIME, now. */
  realtimeOffsetNs(): bigint {
    return this.#parts.binding.realtimeOffsetNs();
  }

  throttleMap(): ThrottleEntry[] {
    return throttleMap(this.#maps);
  }

  counters(): Counters {
    return counters(this.#maps);
  }

  rings(): Readonly<Record<Ring, RingCounters>> {
    return rings(this.#maps);
  }

  /** Of these very rings, unique within a boot: other rings, which number their events anew, have another one. */
  get ringsId(): string {
    return RING_MAPS.map((ring) => this.#maps.info(ring).id).join('/');
  }

  programs(): ProgramStatus[] {
    return this.#parts.programs.map((program) => statusOf(this.#parts.binding, program));
  }

  /** Takes everything down, pins included: no access is refused any more. */
  detach(): void {
    unpinVersions(this.#parts.pins.pinDir);
    this.close();
  }

  /** Idempotent. Programs and maps stay, and go on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.close();
    closeAll(this.#parts.owned);
  }

  /** Whether anything was freed. Waits once for the programs that run, for all that has to wait for them. */
  #settle(): boolean {
    const unused = this.#ruleSets.unused(this.#containers.referenced());
    if (unused.length === 0 && !this.#containers.unsettled && this.#windowsToClose.size === 0) return false;
    this.#parts.binding.synchronizePrograms();
    for (const number of unused) this.#ruleSets.erase(number);
    this.#containers.settle();
    this.#requestReports();
    return true;
  }

  #requestReports(): void {
    if (this.#maps.has(WINDOW_REQUESTS))
      for (const [cgroupId, endedBy] of this.#windowsToClose) {
        const reason = u64Key(BigInt(layout.ENDED_BY.indexOf(endedBy)));
        this.#maps.update(WINDOW_REQUESTS, u64Key(cgroupId), reason);
      }
    this.#windowsToClose.clear();
  }

  /** One policy replaced by another keeps the window. */
  #keepWindow(cgroupId: bigint): void {
    this.#windowsToClose.delete(cgroupId);
    if (this.#maps.has(WINDOW_REQUESTS)) this.#maps.remove(WINDOW_REQUESTS, u64Key(cgroupId));
  }
}
