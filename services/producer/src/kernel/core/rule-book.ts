// Which rule a number stands for. Rules that are gone stay for a while: their events may still be on the way.
import type { CompiledRule } from '@alert-throttle/policy';

/** About what a node has in force, several times over. */
const MAX_RULES = 200_000;

/** What alerts say of a rule. Its paths are left out: those that they lead to are under the same number. */
function said({ policy, kind, action, severity, tags, message }: CompiledRule): string {
  return JSON.stringify([policy.namespace, policy.name, kind, action, severity, tags, message]);
}

export class RuleBook {
  /** The latest last. */
  readonly #rules = new Map<number, CompiledRule>();

  constructor(rules: readonly CompiledRule[] = []) {
    for (const rule of rules) this.#rules.set(rule.number, rule);
  }

  get(number: number): CompiledRule | undefined {
    return this.#rules.get(number);
  }

  /**
   * True where something is new: then it has to be saved before the kernel raises events with these numbers. Numbers are
   * digests of 32 bits, unique in their rule set only: throws, with nothing changed, where one stands for another rule
   * already, as an alert must not have the name of a policy that it is not of.
   */
  add(rules: readonly CompiledRule[]): boolean {
    let isNew = false;
    for (const rule of rules) {
      const known = this.#rules.get(rule.number);
      if (known && said(known) !== said(rule))
        throw new Error(
          `a rule of policy ${rule.policy.name} has the number ${rule.number}, which a rule of policy ${known.policy.name} has or had: change its message, tags or severity, which gives it another one`,
        );
    }
    for (const rule of rules) {
      isNew ||= !this.#rules.has(rule.number);
      // The path in the policy, not the one that it leads to, which comes later and is put under the same number.
      if (this.#rules.has(rule.number)) continue;
      this.#rules.set(rule.number, rule);
    }
    for (const number of this.#rules.keys()) {
      if (this.#rules.size <= MAX_RULES) break;
      this.#rules.delete(number);
    }
    return isNew;
  }

  get all(): readonly CompiledRule[] {
    return [...this.#rules.values()];
  }
}
