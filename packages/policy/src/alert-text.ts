// What an alert says about the rule that raised it. The producer writes the same for events of the kernel, which carry
// the number of the rule only.
import type { CompiledRule, Kind, RuleSet } from './types.ts';

/** PolicyName of what a posture refused or audited. */
export const DEFAULT_POSTURE = 'DefaultPosture';

export type AlertAction = 'Block' | 'Audit' | 'Audit (Block)';
export type AlertResult = 'Permission denied' | 'Operation not permitted' | 'Passed';
export type Errno = 'EACCES' | 'EPERM';

export interface AlertText {
  readonly policyName: string;
  readonly severity: string;
  readonly tags: readonly string[];
  readonly message: string;
  readonly operation: 'Process' | 'File' | 'Network' | 'Capabilities';
  readonly action: AlertAction;
  readonly result: AlertResult;
  /** `lsm`: the name of the enforcer in use, BPFLSM or AppArmor. What went through has the same name in every mode. */
  readonly enforcer: 'lsm' | 'eBPF Monitor';
}

const OPERATIONS = {
  process: 'Process',
  file: 'File',
  network: 'Network',
  capability: 'Capabilities',
} as const;

/** What a refusal of this kind returns. */
export function errnoOf(kind: Kind): Errno {
  return kind === 'capability' ? 'EPERM' : 'EACCES';
}

/** The alert of an access of `kind` that `rule` matched, or no rule and hence the posture. Allow rules raise none. */
export function alertText(
  ruleSet: Pick<RuleSet, 'audited' | 'posture'>,
  kind: Kind,
  rule: CompiledRule | undefined,
): AlertText | undefined {
  const action = rule ? rule.action : postureAction(ruleSet.posture[kind]);
  if (action === 'Allow') return undefined;
  const refused = action === 'Block' && !ruleSet.audited;
  return {
    policyName: rule ? rule.policy.name : DEFAULT_POSTURE,
    severity: rule?.severity ?? '',
    tags: rule?.tags ?? [],
    message: rule?.message ?? '',
    operation: OPERATIONS[kind],
    action: action === 'Block' && ruleSet.audited ? 'Audit (Block)' : action,
    result: refused ? resultOf(kind) : 'Passed',
    enforcer: refused ? 'lsm' : 'eBPF Monitor',
  };
}

function postureAction(posture: RuleSet['posture'][Kind]): 'Block' | 'Audit' | 'Allow' {
  if (posture === 'block') return 'Block';
  return posture === 'audit' ? 'Audit' : 'Allow';
}

function resultOf(kind: Kind): AlertResult {
  return errnoOf(kind) === 'EPERM' ? 'Operation not permitted' : 'Permission denied';
}
