// Which policies this node can enforce: those that need a kind of rule that has no hook here are refused, by name.
import type { Policy } from '@alert-throttle/policy';
import { policyRefused } from './core/node-events.ts';
import type { Enforcement } from './enforcement.ts';
import type { Voice } from './voice.ts';

export class PoliciesInForce {
  readonly #enforcement: Enforcement;
  readonly #voice: Voice;
  #refused = new Set<string>();

  constructor(enforcement: Enforcement, voice: Voice) {
    this.#enforcement = enforcement;
    this.#voice = voice;
  }

  get refused(): number {
    return this.#refused.size;
  }

  set(policies: readonly Policy[]): void {
    this.#enforcement.setPolicies(policies);
    const refused = new Set<string>();
    for (const [{ name, namespace }, reason] of this.#enforcement.unenforceable) {
      const key = `${namespace}/${name}`;
      refused.add(key);
      if (this.#refused.has(key)) continue;
      this.#voice.observer.refused('policy');
      this.#voice.logger.error({ policy: key }, `policy ${key} is not in force: ${reason}`);
      this.#voice.say((origin) => policyRefused(origin, name, `not in force: ${reason}`));
    }
    this.#refused = refused;
  }
}
