// The AppArmor profiles of this node's containers: which text each has, who is meant by it, and when it may go.
//
//   expected (a label says that there will be such a container) ─▶ allows everything
//   a container with rules                                      ─▶ what its rules block
//   its last policy is gone                                     ─▶ allows everything, for the processes that are in it
//   no container, none expected, no process in it               ─▶ removed
//
// Never earlier: processes whose profile is removed run on without any, and no later profile holds them again.
import { allowingProfile, profileOf } from '@alert-throttle/apparmor';
import type { CompiledRule, RuleSet } from '@alert-throttle/policy';

/** What loads profiles and knows who is in them: packages/apparmor, or a test. */
export interface ProfileLoader {
  load(text: string): void;
  remove(name: string): void;
  inUse(): ReadonlySet<string>;
}

interface User {
  readonly ruleSet: RuleSet | undefined;
  readonly privileged: boolean;
}

export class Profiles {
  readonly #loader: ProfileLoader;
  readonly #users = new Map<string, Map<bigint, User>>();
  /** As this process has loaded them. */
  readonly #loaded = new Map<string, string>();
  #expected: ReadonlySet<string> = new Set();

  constructor(loader: ProfileLoader) {
    this.#loader = loader;
  }

  /** Containers of these names may start; a runtime refuses one whose profile is not there. */
  expect(names: Iterable<string>): void {
    this.#expected = new Set(names);
    for (const name of this.#expected) if (!this.#loaded.has(name)) this.#load(name, allowingProfile(name));
  }

  /**
   * From the return on, processes under the profile are held to the rules. Throws InexpressibleError or AppArmorError, and
   * what was in force is in force.
   */
  set(name: string, cgroupId: bigint, user: User): void {
    const users = new Map(this.#users.get(name));
    // The newest last: where containers of one name have different policies, its rules count (`conflicts`).
    users.delete(cgroupId);
    users.set(cgroupId, user);
    this.#load(name, textOf(name, [...users.values()]));
    this.#users.set(name, users);
  }

  has(name: string): boolean {
    return this.#loaded.has(name);
  }

  /** The container is gone. */
  forget(cgroupId: bigint): void {
    for (const users of this.#users.values()) users.delete(cgroupId);
  }

  /** Names that containers with different policies have; only the newest container's are enforced. */
  get conflicts(): string[] {
    return [...this.#users].flatMap(([name, users]) =>
      new Set([...users.values()].map(signatureOf)).size > 1 ? [name] : [],
    );
  }

  /** Takes away what nobody needs. */
  tidy(): void {
    const idle = [...this.#loaded.keys()].filter(
      (name) => !this.#expected.has(name) && (this.#users.get(name)?.size ?? 0) === 0,
    );
    if (idle.length === 0) return;
    const used = this.#loader.inUse();
    for (const name of idle) {
      if (used.has(name)) continue;
      this.#loader.remove(name);
      this.#loaded.delete(name);
      this.#users.delete(name);
    }
  }

  #load(name: string, text: string): void {
    if (this.#loaded.get(name) === text) return;
    this.#loader.load(text);
    this.#loaded.set(name, text);
  }
}

/** What makes rule sets one that differ only in where their paths lead inside each container. */
function signatureOf({ ruleSet }: User): string {
  if (ruleSet === undefined) return '';
  const policies = new Set(ruleSet.rules.map(({ policy }) => `${policy.namespace}/${policy.name}`));
  return JSON.stringify([ruleSet.audited, ruleSet.posture, [...policies].sort()]);
}

function textOf(name: string, users: readonly User[]): string {
  const newest = users.at(-1);
  if (newest?.ruleSet === undefined) return allowingProfile(name);
  const alike = users.filter((user) => signatureOf(user) === signatureOf(newest));
  const rules = new Map<string, CompiledRule>();
  for (const { ruleSet } of alike)
    for (const rule of ruleSet?.rules ?? []) rules.set(JSON.stringify({ ...rule, number: 0 }), rule);
  const all = { ...newest.ruleSet, rules: [...rules.values()] };
  return profileOf(all, { name, privileged: newest.privileged });
}
