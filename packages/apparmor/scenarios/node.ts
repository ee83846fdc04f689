// A node on which AppArmor enforces: profiles are loaded before containers start, and replaced when their rules change.
import {
  allowingProfile,
  confinementOf,
  inexpressible,
  loadProfile,
  profileName,
  profileOf,
} from '@alert-throttle/apparmor';
import type { Container } from '@alert-throttle/guest/inside';
import type { KernelOptions } from '@alert-throttle/kernel';
import type { RuleSet } from '@alert-throttle/policy';
import { EnforcingNode } from '../../kernel/scenarios/enforcement/node.ts';

export class ConfiningNode extends EnforcingNode {
  constructor(options: KernelOptions = {}) {
    super({ ...options, enforcer: 'apparmor' });
  }

  override readonly startOptions = (name: string): { readonly apparmorProfile: string } => {
    const apparmorProfile = nameOf(name);
    loadProfile(allowingProfile(apparmorProfile));
    return { apparmorProfile };
  };

  override readonly refusals = (ruleSet: RuleSet): readonly string[] =>
    inexpressible(ruleSet).map(({ reason }) => reason);

  override protect(container: Container, ruleSet: RuleSet, starting = false): void {
    loadProfile(profileOf(ruleSet, { name: nameOf(container.name) }));
    super.protect(container, ruleSet, starting);
  }

  /** Its last policy is gone. */
  unprotect(container: Container): void {
    loadProfile(allowingProfile(nameOf(container.name)));
    this.kernel.setRuleSet(container.cgroup.id, undefined);
  }
}

export function nameOf(container: string): string {
  const name = profileName({ namespace: '', owner: '', container });
  if (name === undefined) throw new Error(`no name for a profile: ${container}`);
  return name;
}

export function confinement(container: Container): string | undefined {
  return confinementOf(container.pid);
}
