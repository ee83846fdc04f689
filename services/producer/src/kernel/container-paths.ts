// Where the paths of rules lead inside a container, asked through one of its processes. That process may end, and its
// number be given to another one, in another root: so it is the same one before and after, or what was found last holds.
//
// What Allow rules lead to is asked once for each path and kept: whoever may write beside it could otherwise turn a link
// to whatever it wants allowed. What Block and Audit rules lead to is followed, as such a link would only hit its owner.
import type { RuleSet } from '@alert-throttle/policy';
import type { ProcessFacts } from './adapters/processes.ts';
import type { NodeContainer } from './core/node-container.ts';
import { resolveRuleSet, type Resolve, type Resolved } from './core/rule-paths.ts';
import type { KernelPort } from './kernel-port.ts';

export interface ContainerPathsOptions {
  readonly kernel: Pick<KernelPort, 'resolve'>;
  /** The process is still there, and no other one has its number. */
  readonly isThere: (facts: ProcessFacts) => boolean;
  /** The oldest process of the cgroup; undefined while there is none. */
  readonly initOf: (cgroupPath: string) => ProcessFacts | undefined;
}

type Targets = Map<string, string | undefined>;

interface Found {
  followed: Targets;
  readonly kept: Targets;
}

export class ContainerPaths {
  readonly #options: ContainerPathsOptions;
  readonly #found = new Map<bigint, Found>();

  constructor(options: ContainerPathsOptions) {
    this.#options = options;
  }

  /** As the rules are written while the container has no root yet. */
  resolve(container: NodeContainer, ruleSet: RuleSet): Resolved {
    if (container.facts === undefined) return { ruleSet, misleading: [] };
    const found: Found = this.#found.get(container.cgroupId) ?? { followed: new Map(), kept: new Map() };
    const facts = this.#process(container, container.facts);
    const asked = facts && this.#ask(facts, ruleSet, found);
    if (asked === undefined)
      return resolveRuleSet(ruleSet, (path, isKept) => (isKept ? found.kept : found.followed).get(path));
    for (const [path, target] of asked.kept) found.kept.set(path, target);
    found.followed = asked.followed;
    this.#found.set(container.cgroupId, found);
    return asked.resolved;
  }

  forget(cgroupId: bigint): void {
    this.#found.delete(cgroupId);
  }

  #process(container: NodeContainer, facts: ProcessFacts): ProcessFacts | undefined {
    const { isThere, initOf } = this.#options;
    if (isThere(facts)) return facts;
    const other = initOf(container.known.place.cgroupPath);
    // Not one that a runtime has just put there.
    if (other?.mntNs !== facts.mntNs) return undefined;
    container.facts = { ...facts, pid: other.pid, startedAt: other.startedAt };
    return container.facts;
  }

  /** Undefined where the process ended meanwhile. */
  #ask(facts: ProcessFacts, ruleSet: RuleSet, found: Found): (Found & { resolved: Resolved }) | undefined {
    const { kernel, isThere } = this.#options;
    const followed: Targets = new Map();
    const kept: Targets = new Map();
    const resolve: Resolve = (path, isKept) => {
      if (isKept && found.kept.has(path)) return found.kept.get(path);
      const target = kernel.resolve(facts.pid, path);
      const written =
        target === undefined || !path.endsWith('/') || target.endsWith('/') ? target : `${target}/`;
      (isKept ? kept : followed).set(path, written);
      return written;
    };
    try {
      const resolved = resolveRuleSet(ruleSet, resolve);
      return isThere(facts) ? { followed, kept, resolved } : undefined;
    } catch (error) {
      if (isThere(facts)) throw error;
      return undefined;
    }
  }
}
