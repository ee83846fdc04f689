// From the policies that apply to a container to its rule set. Nothing here depends on the order of policies or rules.
import { createHash } from 'node:crypto';
import { ruleNumbers } from './rule-numbers.ts';
import {
  ACTIONS,
  KINDS,
  MATCHES,
  type CompiledRule,
  type Kind,
  type Policy,
  type PolicyMeta,
  type PolicyRule,
  type Posture,
  type Postures,
  type RuleSet,
} from './types.ts';

export interface CompileOptions {
  /** For each kind, what happens to what no rule matches, where the kind has an Allow rule. */
  readonly postures: Readonly<Record<Kind, 'audit' | 'block'>>;
  readonly audited: boolean;
}

type Unnumbered = PolicyRule & { readonly policy: PolicyMeta };

/**
 * Of rules that differ in nothing that a verdict or its rank depends on, one is kept: the alert can name only one. It is
 * the one of the highest severity; then names and texts decide, so that the same policies always give the same rule set.
 */
export function compileRuleSet(policies: readonly Policy[], options: CompileOptions): RuleSet {
  const unnumbered = policies.flatMap(({ name, namespace, rules }) =>
    rules.map((rule): Unnumbered => ({ ...rule, policy: { name, namespace } })),
  );
  const rules = numbered(onePerPlace(unnumbered));
  const posture = posturesOf(rules, options.postures);
  const digest = createHash('sha256');
  digest.update(
    JSON.stringify([rules.map((rule) => [rule.number, contentKey(rule)]), posture, options.audited]),
  );
  return { key: digest.digest('hex'), rules, posture, audited: options.audited };
}

function posturesOf(rules: readonly CompiledRule[], postures: CompileOptions['postures']): Postures {
  const of = (kind: Kind): Posture =>
    rules.some((rule) => rule.kind === kind && rule.action === 'Allow') ? postures[kind] : 'none';
  return { process: of('process'), file: of('file'), network: of('network'), capability: of('capability') };
}

function onePerPlace(rules: readonly Unnumbered[]): Unnumbered[] {
  const kept = new Map<string, Unnumbered>();
  for (const rule of rules) {
    const key = placeKey(rule);
    const other = kept.get(key);
    if (!other || prefer(rule, other) < 0) kept.set(key, rule);
  }
  return [...kept.values()];
}

function prefer(a: Unnumbered, b: Unnumbered): number {
  return Number(b.severity) - Number(a.severity) || compareTexts(contentKey(a), contentKey(b));
}

/** Everything that decides where and how a rule acts. */
function placeKey(rule: PolicyRule): string {
  return JSON.stringify([
    KINDS.indexOf(rule.kind),
    rule.source ?? null,
    MATCHES.indexOf(rule.match),
    rule.path,
    ACTIONS.indexOf(rule.action),
    rule.readOnly,
    rule.ownerOnly,
  ]);
}

function contentKey(rule: Unnumbered): string {
  const { policy, severity, tags, message } = rule;
  return JSON.stringify([policy.namespace, policy.name, placeKey(rule), severity, tags, message]);
}

/** By UTF-16 code units: the same order everywhere, whatever the locale. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function numbered(rules: readonly Unnumbered[]): CompiledRule[] {
  const ordered = rules
    .map((rule) => ({ rule, place: placeKey(rule) }))
    .sort((a, b) => compareTexts(a.place, b.place))
    .map(({ rule }) => rule);
  const numbers = ruleNumbers(ordered.map(contentKey));
  return ordered.map((rule, i) => ({ ...rule, number: numbers[i] ?? 0 }));
}
