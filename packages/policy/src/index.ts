/** KubeArmor policies: reading them, choosing those of a container, rule sets for the kernel, and the verdict as pure code. */
export {
  alertText,
  DEFAULT_POSTURE,
  errnoOf,
  type AlertAction,
  type AlertResult,
  type AlertText,
  type Errno,
} from './alert-text.ts';
export { compileRuleSet, type CompileOptions } from './compile.ts';
export { rulesFor, type ContainerRules } from './container-rules.ts';
export { ancestorHints } from './hints.ts';
export {
  applies,
  match,
  type Access,
  type CapabilityAccess,
  type FileAccess,
  type NetworkAccess,
  type ProcessAccess,
  type Verdict,
} from './match.ts';
export {
  CAPABILITIES,
  capabilityNumber,
  PROTOCOLS,
  protocolNumber,
  type Capability,
  type Protocol,
} from './names.ts';
export {
  judge,
  type Actor,
  type Files,
  type Operation,
  type Outcome,
  type RaisedAlert,
} from './operations.ts';
export {
  asDirectory,
  components,
  lastName,
  MAX_COMPONENTS,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
} from './paths.ts';
export {
  DEFAULT_POSTURE_SETTINGS,
  TREATMENT_ANNOTATION,
  treatmentOf,
  type Annotated,
  type ContainerTreatment,
  type PostureSettings,
  type Treatment,
} from './posture.ts';
export { PolicyError, renderProblem, type PolicyProblem } from './problems.ts';
export {
  MAX_POLICIES,
  MAX_RULES_OF_A_POLICY,
  parsePolicies,
  readPolicies,
  type PolicySource,
  type ReadResult,
} from './read-policies.ts';
export { MAX_RULE_NUMBER } from './rule-numbers.ts';
export { appliesTo, policiesFor, type ContainerIdentity } from './selector.ts';
export { socketProtocols } from './sockets.ts';
export {
  ACTIONS,
  KINDS,
  MATCHES,
  type Action,
  type CompiledRule,
  type Kind,
  type Match,
  type Policy,
  type PolicyMeta,
  type PolicyRule,
  type Posture,
  type Postures,
  type RuleSet,
  type Selector,
} from './types.ts';
