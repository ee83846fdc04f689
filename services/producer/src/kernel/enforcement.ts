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
import { factsInside, isLeaving, type Enforced, type NodeContainer } from './core/node-container.ts';
import { ContainerPaths, type ContainerPathsOptions, type KnownTargets } from './container-paths.ts';
import { pathsOf, type Misleading } from './core/rule-paths.ts';
import type { KernelPort, RuleSetHandle } from './kernel-port.ts';
import { reasonOf } from '../errors.ts';

export type PostureConfig = Pick<
  PostureSettings,
  'defaultFilePosture' | 'defaultNetworkPosture' | 'defaultCapabilitiesPosture'
>;

export interface EnforcementOptions extends ContainerPathsOptions {
  readonly kernel: Pick<
    KernelPort,
    | 'installRuleSet'
    | 'removeRuleSet'
    | 'registerContainer'
    | 'setRuleSet'
    | 'removeContainer'
    | 'ruleSetForFailed'
  >;
  readonly descendants: (cgroupPath: string) => readonly bigint[];
  readonly profile: number;
  /** Has to be on the disk when it returns: from then on the kernel raises events with these numbers. */
  readonly saveRules: (rules: readonly CompiledRule[]) => void;
  /** Other rules are in force for it now. */
  readonly onApplied: (container: NodeContainer, enforced: Enforced) => void;
  readonly onMisleading: (container: NodeContainer, misleading: Misleading) => void;
  /** Paths that do not answer, each time that they are others. */
  readonly onUnanswered: (container: NodeContainer) => void;
  /** An annotation that means nothing, with what is accepted. */
  readonly onProblem: (container: NodeContainer, problem: string) => void;
  /** What was in force before is still in force. */
  readonly onRefused: (container: NodeContainer, policies: readonly string[], reason: string) => void;
}

interface Turn {
  done: Promise<void>;
  /** So often, something has changed meanwhile. */
  changes: number;
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
  /** Containers whose rules are being brought up to date. */
  readonly #busy = new Map<bigint, Turn>();

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

  /** Where its rules lead in it makes a difference. */
  hasPaths(container: NodeContainer): boolean {
    const { ruleSet } = this.#wanted(container);
    if (ruleSet === undefined) return false;
    const { followed, kept } = pathsOf(ruleSet);
    return followed.length + kept.length > 0;
  }

  /** Paths inside the container can be asked for now. */
  built(container: NodeContainer): Promise<void> {
    this.#registerAgain(container);
    return this.apply(container);
  }

  /** From now on its tasks are the container's in any case, also where the kernel saw no exec. */
  running(container: NodeContainer): Promise<void> {
    this.#registerAgain(container);
    return this.apply(container);
  }

  /**
   * Brings the container's rules up to date; resolves when they are. While its runtime builds it they are in force as they
   * are written, at once, from its first exec on; later, once it has said where their paths lead. One that does not
   * answer has them as they are written, and as far as is known from before. What cannot be installed is told, and
   * changes nothing.
   */
  apply(container: NodeContainer): Promise<void> {
    const busy = this.#busy.get(container.cgroupId);
    if (busy) {
      busy.changes += 1;
      return busy.done;
    }
    const isAsked = factsInside(container) !== undefined;
    if (!isAsked || this.#options.prober.isSlow(container.cgroupId)) this.applyKnown(container);
    if (!isAsked) return Promise.resolve();
    const turn: Turn = { done: Promise.resolve(), changes: 0 };
    this.#busy.set(container.cgroupId, turn);
    turn.done = this.#askAndApply(container, turn)
      .catch((error: unknown) => this.#options.onRefused(container, container.wanted, reasonOf(error)))
      .finally(() => this.#busy.delete(container.cgroupId));
    return turn.done;
  }

  /** Without asking anything. */
  applyKnown(container: NodeContainer): void {
    if (isLeaving(container)) return;
    const { ruleSet, policies, problems } = this.#wanted(container);
    for (const problem of problems) this.#options.onProblem(container, problem);
    container.wanted = ruleSet === undefined ? [] : policies.map(({ name }) => name);
    this.#try(container, container.wanted, () => {
      try {
        this.#install(container, ruleSet && this.#resolve(container, ruleSet), container.wanted);
      } catch (error) {
        // Nothing is in force for it; where the node fails closed, nothing is allowed then.
        const { ruleSetForFailed } = this.#options.kernel;
        if (!container.enforced && ruleSetForFailed) this.#register(container, ruleSetForFailed);
        throw error;
      }
    });
  }

  /** What an earlier run knew of where its paths lead. */
  remember(cgroupId: bigint, targets: KnownTargets): void {
    this.#paths.remember(cgroupId, targets);
  }

  targetsOf(cgroupId: bigint): KnownTargets {
    return this.#paths.known(cgroupId);
  }

  async #askAndApply(container: NodeContainer, turn: Turn): Promise<void> {
    const { changes } = turn;
    const { ruleSet } = this.#wanted(container);
    const before = container.unanswered;
    if (ruleSet) await this.#paths.ask(container, ruleSet);
    this.applyKnown(container);
    if (before.size > 0 || container.unanswered.size > 0) this.#options.onUnanswered(container);
    if (turn.changes > changes) await this.#askAndApply(container, turn);
  }

  #wanted(container: NodeContainer): ReturnType<typeof rulesFor> {
    const refused = this.unenforceable;
    const usable = this.#policies.filter((policy) => !refused.has(policy));
    return rulesFor(usable, container.known.subject, this.#postures);
  }

  /** The container is gone, and its last report is out. */
  remove(container: NodeContainer): void {
    const { kernel } = this.#options;
    this.#warned.delete(container.cgroupId);
    this.#paths.forget(container.cgroupId);
    // Also one that only an earlier run knew.
    kernel.removeContainer(container.cgroupId);
    if (container.enforced?.handle) kernel.removeRuleSet(container.enforced.handle);
    container.enforced = undefined;
  }

  /** What one container cannot have must not end the producer, which all the others need. */
  #try(container: NodeContainer, policies: readonly string[], action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onRefused(container, policies, reasonOf(error));
    }
  }

  #registerAgain(container: NodeContainer): void {
    const { enforced } = container;
    if (enforced) this.#try(container, enforced.policies, () => this.#register(container, enforced.handle));
  }

  #resolve(container: NodeContainer, ruleSet: RuleSet): RuleSet {
    const { ruleSet: resolved, misleading } = this.#paths.resolve(container, ruleSet);
    if (factsInside(container)) this.#warn(container, misleading);
    return resolved;
  }

  #warn(container: NodeContainer, misleading: readonly Misleading[]): void {
    const before = this.#warned.get(container.cgroupId);
    const keys = new Set<string>();
    for (const one of misleading) {
      const key = JSON.stringify([one.rule.number, one.path, one.target]);
      keys.add(key);
      if (before?.has(key) !== true) this.#options.onMisleading(container, one);
    }
    this.#warned.set(container.cgroupId, keys);
  }

  #install(container: NodeContainer, ruleSet: RuleSet | undefined, policies: readonly string[]): void {
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
  #register(container: NodeContainer, ruleSet: RuleSetHandle | undefined): void {
    const { cgroupId, known, life } = container;
    const facts = factsInside(container);
    const { kernel, descendants, profile } = this.#options;
    kernel.registerContainer({
      cgroupId,
      descendants: () => descendants(known.place.cgroupPath),
      ruleSet,
      profile,
      starting: life.phase !== 'running',
      privileged: facts?.privileged ?? false,
      pidNs: facts?.pidNs ?? 0,
      mntNs: facts?.mntNs ?? 0,
      rootDev: facts?.rootDev ?? 0n,
      rootIno: facts?.rootIno ?? 0n,
    });
  }
}
