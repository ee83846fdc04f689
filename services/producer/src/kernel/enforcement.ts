// Brings policies and containers together: what applies to each, resolved inside it, into the kernel; whole or not at all.
import {
  DEFAULT_POSTURE_SETTINGS,
  rulesFor,
  type CompiledRule,
  type Kind,
  type Policy,
  type PostureSettings,
  type RuleSet,
} from '@alert-throttle/policy';
import type { ProcessFacts } from './adapters/processes.ts';
import type { Enforced, KnownContainer } from './core/container-state.ts';
import { ContainerPaths, type ContainerPathsOptions } from './container-paths.ts';
import type { Misleading } from './core/rule-paths.ts';
import type { Kernel, RuleSetHandle } from './kernel-port.ts';
import { reasonOf } from '../errors.ts';

export type PostureConfig = Pick<
  PostureSettings,
  'defaultFilePosture' | 'defaultNetworkPosture' | 'defaultCapabilitiesPosture'
>;

export interface EnforcementOptions extends Omit<ContainerPathsOptions, 'kernel'> {
  readonly kernel: Pick<
    Kernel,
    | 'installRuleSet'
    | 'removeRuleSet'
    | 'registerContainer'
    | 'setRuleSet'
    | 'removeContainer'
    | 'resolve'
    | 'ruleSetForFailed'
  >;
  readonly descendants: (cgroupPath: string) => readonly bigint[];
  readonly profile: number;
  /** Has to be on the disk when it returns: from then on the kernel raises events with these numbers. */
  readonly saveRules: (rules: readonly CompiledRule[]) => void;
  /** Other rules are in force for it now. */
  readonly onApplied: (container: KnownContainer, enforced: Enforced) => void;
  readonly onMisleading: (container: KnownContainer, misleading: Misleading) => void;
  /** An annotation that means nothing, with what is accepted. */
  readonly onProblem: (container: KnownContainer, problem: string) => void;
  /** What was in force before is still in force. */
  readonly onRefused: (container: KnownContainer, policies: readonly string[], reason: string) => void;
}

export class Enforcement {
  readonly #options: EnforcementOptions;
  readonly #paths: ContainerPaths;
  #policies: readonly Policy[] = [];
  #postures: PostureSettings = DEFAULT_POSTURE_SETTINGS;
  /** Why rules of a kind cannot be enforced here. */
  #disarmed: ReadonlyMap<Kind, string> = new Map();
  /** Warned of, by container: each once. */
  readonly #warned = new Map<bigint, Set<string>>();

  constructor(options: EnforcementOptions) {
    this.#options = options;
    this.#paths = new ContainerPaths(options);
  }

  setPolicies(policies: readonly Policy[]): void {
    this.#policies = policies;
  }

  setPostures(postures: PostureConfig): void {
    this.#postures = { ...this.#postures, ...postures };
  }

  setDisarmed(disarmed: ReadonlyMap<Kind, string>): void {
    this.#disarmed = disarmed;
  }

  /** Policies that need what this node cannot enforce, with the reason. They are not in force anywhere. */
  get unenforceable(): ReadonlyMap<Policy, string> {
    const refused = new Map<Policy, string>();
    for (const policy of this.#policies) {
      const kind = policy.rules.map((rule) => rule.kind).find((one) => this.#disarmed.has(one));
      if (kind !== undefined)
        refused.set(policy, `${kind} rules cannot be enforced here: ${this.#disarmed.get(kind) ?? ''}`);
    }
    return refused;
  }

  /** Paths inside the container can be resolved now. */
  built(container: KnownContainer, facts: ProcessFacts): void {
    container.facts = facts;
    this.#registerAgain(container);
    this.apply(container);
  }

  /** From now on its tasks are the container's in any case, also where the kernel saw no exec. */
  running(container: KnownContainer, facts: ProcessFacts): void {
    container.facts = facts;
    container.running = true;
    this.#registerAgain(container);
    this.apply(container);
  }

  /**
   * Brings the container's rules up to date. While its runtime builds it they are in force as they are written, from its
   * first exec on. What cannot be installed is told, and changes nothing.
   */
  apply(container: KnownContainer): void {
    if (container.removedAtMs !== undefined) return;
    const refused = this.unenforceable;
    const usable = this.#policies.filter((policy) => !refused.has(policy));
    const { subject } = container.known;
    const { ruleSet, policies, problems } = rulesFor(usable, subject, this.#postures);
    for (const problem of problems) this.#options.onProblem(container, problem);
    const names = ruleSet === undefined ? [] : policies.map(({ name }) => name);
    this.#try(container, names, () => {
      try {
        this.#install(container, ruleSet && this.#resolve(container, ruleSet), names);
      } catch (error) {
        // Nothing is in force for it; where the node fails closed, nothing is allowed then.
        const { ruleSetForFailed } = this.#options.kernel;
        if (!container.enforced && ruleSetForFailed) this.#register(container, ruleSetForFailed);
        throw error;
      }
    });
  }

  /** The container is gone, and its last report is out. */
  remove(container: KnownContainer): void {
    const { kernel } = this.#options;
    this.#warned.delete(container.cgroupId);
    this.#paths.forget(container.cgroupId);
    // Also one that only an earlier run knew.
    kernel.removeContainer(container.cgroupId);
    if (container.enforced?.handle) kernel.removeRuleSet(container.enforced.handle);
    container.enforced = undefined;
  }

  /** What one container cannot have must not end the producer, which all the others need. */
  #try(container: KnownContainer, policies: readonly string[], action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onRefused(container, policies, reasonOf(error));
    }
  }

  #registerAgain(container: KnownContainer): void {
    const { enforced } = container;
    if (enforced) this.#try(container, enforced.policies, () => this.#register(container, enforced.handle));
  }

  #resolve(container: KnownContainer, ruleSet: RuleSet): RuleSet {
    const { ruleSet: resolved, misleading } = this.#paths.resolve(container, ruleSet);
    if (container.facts) this.#warn(container, misleading);
    return resolved;
  }

  #warn(container: KnownContainer, misleading: readonly Misleading[]): void {
    const before = this.#warned.get(container.cgroupId);
    const keys = new Set<string>();
    for (const one of misleading) {
      const key = JSON.stringify([one.rule.number, one.path, one.target]);
      keys.add(key);
      if (before?.has(key) !== true) this.#options.onMisleading(container, one);
    }
    this.#warned.set(container.cgroupId, keys);
  }

  #install(container: KnownContainer, ruleSet: RuleSet | undefined, policies: readonly string[]): void {
    const { kernel, saveRules, onApplied } = this.#options;
    const before = container.enforced;
    const key = ruleSet?.key ?? '';
    if (before?.key === key) return;
    if (ruleSet) saveRules(ruleSet.rules);
    const handle = ruleSet && kernel.installRuleSet(ruleSet);
    try {
      if (before) kernel.setRuleSet(container.cgroupId, handle);
      else this.#register(container, handle);
    } catch (error) {
      if (handle) kernel.removeRuleSet(handle);
      throw error;
    }
    container.refusedFor = undefined;
    container.enforced = { handle, key, policies, rules: ruleSet?.rules.length ?? 0 };
    if (before?.handle) kernel.removeRuleSet(before.handle);
    // A container without rules is nothing to tell, unless it had some.
    if (handle ?? before?.handle) onApplied(container, container.enforced);
  }

  /** Again, where more is known of it. */
  #register(container: KnownContainer, ruleSet: RuleSetHandle | undefined): void {
    const { cgroupId, known, facts, running } = container;
    const { kernel, descendants, profile } = this.#options;
    kernel.registerContainer({
      cgroupId,
      descendants: () => descendants(known.place.cgroupPath),
      ruleSet,
      profile,
      starting: !running,
      privileged: facts?.privileged ?? false,
      pidNs: facts?.pidNs ?? 0,
      mntNs: facts?.mntNs ?? 0,
      rootDev: facts?.rootDev ?? 0n,
      rootIno: facts?.rootIno ?? 0n,
    });
  }
}
