// The whole way from policies to what one container gets, for whoever has no reason to look at the steps.
import { compileRuleSet } from './compile.ts';
import { treatmentOf, type Annotated, type ContainerTreatment, type PostureSettings } from './posture.ts';
import { policiesFor, type ContainerIdentity } from './selector.ts';
import type { Policy, RuleSet } from './types.ts';

export interface ContainerRules extends Pick<ContainerTreatment, 'treatment' | 'problems'> {
  /** Undefined: nothing applies to the container, and it needs no state in the kernel. */
  readonly ruleSet: RuleSet | undefined;
  /** Those that apply, and are in the rule set unless the container is disabled. */
  readonly policies: readonly Policy[];
}

export function rulesFor(
  policies: readonly Policy[],
  container: ContainerIdentity & Annotated,
  settings: PostureSettings,
): ContainerRules {
  const applying = policiesFor(policies, container);
  const { treatment, options, problems } = treatmentOf(container, settings);
  const used = treatment === 'disabled' ? [] : applying.filter(({ rules }) => rules.length > 0);
  const ruleSet = used.length === 0 ? undefined : compileRuleSet(used, options);
  return { treatment, problems, policies: applying, ruleSet };
}
