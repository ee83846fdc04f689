// Where the paths of rules lead inside a container, asked through one of its processes. That process may end, and its
// number be given to another one, in another root: so it is the same one before and after, or what was found last holds.
//
// What Allow rules lead to is asked once for each path and kept, across restarts too: whoever may write beside it could
// otherwise turn a link to whatever it wants allowed. What Block and Audit rules lead to is followed, as such a link would
// only hit its owner.
import type { RuleSet } from '@alert-throttle/policy';
import type { Prober } from './adapters/prober.ts';
import type { ProcessFacts } from './adapters/processes.ts';
import { factsInside, isLeaving, type NodeContainer } from './core/node-container.ts';
import { pathsOf, resolveRuleSet, type Resolved } from './core/rule-paths.ts';

export interface ContainerPathsOptions {
  readonly prober: Prober;
  /** The process is still there, and no other one has its number. */
  readonly isThere: (facts: ProcessFacts) => boolean;
  /** Of the oldest process of the container; undefined while there is none. */
  readonly factsOf: (container: NodeContainer) => Promise<ProcessFacts | undefined>;
  /** Of paths that are asked for only once: to be remembered. */
  readonly onKept: () => void;
}

type Targets = ReadonlyMap<string, string | undefined>;

/** By path; undefined: it leads nowhere. */
export interface KnownTargets {
  readonly followed: Targets;
  readonly kept: Targets;
}

const NOTHING: KnownTargets = { followed: new Map(), kept: new Map() };

export class ContainerPaths {
  readonly #options: ContainerPathsOptions;
  readonly #known = new Map<bigint, KnownTargets>();

  constructor(options: ContainerPathsOptions) {
    this.#options = options;
  }

  /** As far as is known where its paths lead. */
  resolve({ cgroupId }: NodeContainer, ruleSet: RuleSet): Resolved {
    const { followed, kept } = this.known(cgroupId);
    return resolveRuleSet(ruleSet, (path, isAllowed) => (isAllowed ? kept : followed).get(path));
  }

  /** Asks where they lead now. What is not answered, is as it was. */
  async ask(container: NodeContainer, ruleSet: RuleSet): Promise<void> {
    const { cgroupId } = container;
    const before = this.known(cgroupId);
    const { followed, kept } = pathsOf(ruleSet);
    const fresh = kept.filter((path) => !before.kept.has(path));
    const paths = [...new Set([...followed, ...fresh])];
    const process = paths.length === 0 ? undefined : await this.#process(container);
    if (process === undefined) return;
    const { isThere, targets, unanswered } = await this.#options.prober.paths(cgroupId, process, paths);
    if (!isThere || isLeaving(container)) return;
    container.unanswered = unanswered;
    const written = (path: string): [string, string | undefined] => [
      path,
      asWritten(path, targets.get(path)),
    ];
    const old = followed.filter((path) => !targets.has(path) && before.followed.has(path));
    this.#known.set(cgroupId, {
      followed: new Map([
        ...old.map((path): [string, string | undefined] => [path, before.followed.get(path)]),
        ...followed.filter((path) => targets.has(path)).map(written),
      ]),
      kept: new Map([...before.kept, ...fresh.filter((path) => targets.has(path)).map(written)]),
    });
    if (fresh.length > 0) this.#options.onKept();
  }

  /** For the next run. */
  known(cgroupId: bigint): KnownTargets {
    return this.#known.get(cgroupId) ?? NOTHING;
  }

  /** What an earlier run knew of the same container. */
  remember(cgroupId: bigint, targets: KnownTargets): void {
    this.#known.set(cgroupId, targets);
  }

  forget(cgroupId: bigint): void {
    this.#known.delete(cgroupId);
    this.#options.prober.forget(cgroupId);
  }

  async #process(container: NodeContainer): Promise<ProcessFacts | undefined> {
    const { isThere, factsOf } = this.#options;
    const facts = factsInside(container);
    if (facts === undefined || isThere(facts)) return facts;
    const other = await factsOf(container);
    // Not one that a runtime has just put there.
    if (other?.mntNs !== facts.mntNs || container.life.phase === 'leaving') return undefined;
    const found = { ...facts, pid: other.pid, startedAt: other.startedAt };
    container.life = { phase: container.life.phase === 'running' ? 'running' : 'built', facts: found };
    return found;
  }
}

/** Directories are written with a slash at the end. */
function asWritten(path: string, target: string | undefined): string | undefined {
  return target === undefined || !path.endsWith('/') || target.endsWith('/') ? target : `${target}/`;
}
