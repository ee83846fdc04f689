// A kernel in memory: it remembers what it is told and hands out the events that a test gives it. It enforces nothing;
// what the real one does is tested in the guest.
import type { RuleSet } from '@alert-throttle/policy';
import type { KernelPort, KernelEvent, NewContainer, RuleSetHandle } from '../kernel-port.ts';

type OnBatch = Parameters<KernelPort['start']>[0];

export class MemoryKernel implements KernelPort {
  adopted = false;
  ringsId = '1/2';
  readonly notes: readonly string[] = [];
  readonly registered = new Map<bigint, NewContainer>();
  readonly installed = new Map<number, RuleSet>();
  readonly removed: bigint[] = [];
  readonly limits = new Map<number, Parameters<KernelPort['setLimits']>[1]>();
  /** Thrown by installRuleSet. */
  refusal: Error | undefined;
  /** Thrown by registerContainer. */
  noRoom: Error | undefined;
  throttled: bigint[] = [];
  numbers = { enforcement: 0n, audit: 0n };
  released = 0;
  #next = 1;
  #onBatch: OnBatch | undefined;

  start(onBatch: OnBatch): void {
    this.#onBatch = onBatch;
  }

  emit(...events: KernelEvent[]): void {
    this.#onBatch?.(events, () => (this.released += 1));
  }

  installRuleSet(set: RuleSet): RuleSetHandle {
    if (this.refusal) throw this.refusal;
    const handle = { number: this.#next++, digest: set.key };
    this.installed.set(handle.number, set);
    return handle;
  }

  removeRuleSet({ number }: RuleSetHandle): void {
    if (!this.installed.delete(number)) throw new RangeError(`rule set ${number} is not installed`);
  }

  registerContainer(container: NewContainer): void {
    if (this.noRoom) throw this.noRoom;
    this.registered.set(container.cgroupId, container);
  }

  setRuleSet(cgroupId: bigint, ruleSet: RuleSetHandle | undefined): void {
    const container = this.registered.get(cgroupId);
    if (container === undefined) throw new RangeError(`cgroup ${cgroupId} is not registered`);
    this.registered.set(cgroupId, { ...container, ruleSet });
  }

  /** The rules that are in force for the container. */
  rulesOf(cgroupId: bigint): { path: string; action: string }[] | undefined {
    const number = this.registered.get(cgroupId)?.ruleSet?.number;
    const rules = number === undefined ? undefined : this.installed.get(number)?.rules;
    return rules?.map(({ path, action }) => ({ path, action }));
  }

  removeContainer(cgroupId: bigint): void {
    this.registered.delete(cgroupId);
    this.removed.push(cgroupId);
  }

  containers(): ReturnType<KernelPort['containers']> {
    return [...this.registered.values()].map(({ ruleSet, rootIno = 0n, ...facts }) => ({
      ...facts,
      rootIno,
      ruleSetDigest: ruleSet?.digest,
    }));
  }

  setLimits(profile: number, limits: Parameters<KernelPort['setLimits']>[1]): void {
    this.limits.set(profile, limits);
  }

  throttleMap(): ReturnType<KernelPort['throttleMap']> {
    return this.throttled.map((container) => ({ container })) as unknown as ReturnType<
      KernelPort['throttleMap']
    >;
  }

  rings(): ReturnType<KernelPort['rings']> {
    const of = (number: bigint) => ({ number, emitted: number, lost: 0n });
    return { enforcement: of(this.numbers.enforcement), audit: of(this.numbers.audit) };
  }

  counters(): ReturnType<KernelPort['counters']> {
    return {} as ReturnType<KernelPort['counters']>;
  }

  programs(): ReturnType<KernelPort['programs']> {
    return [];
  }

  realtimeOffsetNs(): bigint {
    return 1_000_000_000_000_000_000n;
  }

  activate(): void {
    // Nothing to decide.
  }

  ruleSetForFailed: RuleSetHandle | undefined;

  setFailClosed(): void {
    // Nothing to decide.
  }

  sweep(): void {
    // No intervals of its own.
  }

  close(): void {
    // Holds nothing.
  }
}
