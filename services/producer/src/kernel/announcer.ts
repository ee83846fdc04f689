// What is said of a container's rules: that they are in force and since when, that one misses, that they could not be put
// in force.
import type { NodeContainer } from './core/node-container.ts';
import { misleadingRule, policyApplied, policyRefused } from './core/node-events.ts';
import type { Misleading } from './core/rule-paths.ts';
import type { Voice } from './voice.ts';

/** More are told again, rather than remembered. */
const MAX_PROBLEMS = 10_000;

export class Announcer {
  readonly #voice: Voice;
  readonly #nowMicros: () => number;
  /** Told already. */
  readonly #problems = new Set<string>();

  constructor(voice: Voice, nowMicros: () => number) {
    this.#voice = voice;
    this.#nowMicros = nowMicros;
  }

  /** Other rules are in force. Of a container that begins it is said once its own program runs. */
  applied(container: NodeContainer): void {
    container.inForceAtMicros = this.#nowMicros();
    // Before its own program, unless that runs by now.
    container.isLate = container.running;
    if (container.announced) this.#say(container, undefined, undefined);
  }

  /** `sawBefore`: it was seen before its program ran. If not, nobody knows what was first, its program or its rules. */
  running(container: NodeContainer, sawBefore: boolean): void {
    container.announced = true;
    container.isLate ||= !sawBefore;
    if (container.enforced?.handle === undefined) return;
    const { createdAtMicros, lastWithoutMicros, inForceAtMicros = this.#nowMicros(), isLate } = container;
    const sinceCgroupMs =
      createdAtMicros === undefined ? undefined : (inForceAtMicros - createdAtMicros) / 1_000;
    const lateMs =
      lastWithoutMicros === undefined ? undefined : (inForceAtMicros - lastWithoutMicros) / 1_000;
    const exposedMs = lateMs === undefined || isLate ? lateMs : 0;
    if (exposedMs !== undefined) this.#voice.observer.exposed(exposedMs / 1_000);
    this.#say(container, exposedMs, sinceCgroupMs);
  }

  misleading(container: NodeContainer, misleading: Misleading): void {
    const { ContainerID, PodName } = container.known.identity;
    const { rule, path, target } = misleading;
    this.#voice.logger.warn(
      { container: ContainerID, pod: PodName, policy: rule.policy.name, path, target },
      `${path} leads to ${target} in container ${ContainerID}: the rule is not in force for it`,
    );
    this.#voice.say((origin) => misleadingRule(origin, misleading), container.known.identity);
  }

  /** Once for each container. */
  problem({ cgroupId, known }: NodeContainer, problem: string): void {
    const key = `${cgroupId} ${problem}`;
    if (this.#problems.has(key)) return;
    if (this.#problems.size >= MAX_PROBLEMS) this.#problems.clear();
    this.#problems.add(key);
    const { ContainerID } = known.identity;
    this.#voice.logger.warn({ container: ContainerID }, `container ${ContainerID}: annotation ${problem}`);
  }

  /** Once for each reason. */
  refused(container: NodeContainer, policies: readonly string[], reason: string): void {
    if (container.refusedFor === reason) return;
    container.refusedFor = reason;
    const { identity } = container.known;
    const kept = container.enforced === undefined ? 'nothing is in force' : 'what was in force stays';
    const message = `rules cannot be put in force: ${reason}; ${kept}`;
    this.#voice.observer.refused('rule set');
    this.#voice.logger.error({ container: identity.ContainerID, policies }, message);
    this.#voice.say((origin) => policyRefused(origin, policies.join(','), message), identity);
  }

  #say(container: NodeContainer, ms: number | undefined, sinceCgroupMs: number | undefined): void {
    const { enforced, known } = container;
    if (enforced === undefined) return;
    const { policies, rules } = enforced;
    const { ContainerID } = known.identity;
    this.#voice.logger.info(
      { container: ContainerID, policies, rules, exposedMs: ms },
      `container ${ContainerID}: ${rules} ${rules === 1 ? 'rule' : 'rules'} in force`,
    );
    const applied = { policies, rules, exposure: { ms, sinceCgroupMs } };
    this.#voice.say((origin) => policyApplied(origin, applied), known.identity);
  }
}
