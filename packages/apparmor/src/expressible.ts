// Can a profile say what the rules say? A profile knows no ranks: a deny rule wins over everything, an allow rule over
// nothing. Where that comes to something else than the verdict, the policies are refused by name, never approximated.
import {
  applies,
  asDirectory,
  lastName,
  match,
  type Access,
  type CompiledRule,
  type Kind,
  type RuleSet,
} from '@alert-throttle/policy';
import { coversSocket, socketRules } from './sockets.ts';
import { socketWitnesses, witnesses } from './witnesses.ts';

export interface Inexpressible {
  readonly kind: Kind;
  /** Of the policies whose rules do not go together, or whose rule has no words in a profile: `namespace/name`. */
  readonly policies: readonly string[];
  readonly reason: string;
}

const DENY_WINS =
  'a deny rule wins over every other rule of a profile, so nothing inside of it can be allowed or only audited';
const NO_PROTOCOL = 'a profile knows the family and type of a socket, not its protocol';
const NO_AUDIT = 'with posture block a profile has to allow what is only audited';
const NO_SOURCE =
  'a profile follows a program from the exec on that starts it, which the first program of a container, what is ' +
  'executed into it and what runs already have behind them; fromSource can only be audited';

/** Why there is no profile for the rule set; empty: there is. */
export function inexpressible(ruleSet: RuleSet): Inexpressible[] {
  if (ruleSet.audited) return [];
  const found = [
    ...ruleSet.rules.filter((rule) => isBoundRefusal(ruleSet, rule)).map((rule) => problem(NO_SOURCE, rule)),
    ...ruleSet.rules
      .filter(({ kind, action }) => action === 'Audit' && ruleSet.posture[kind] === 'block')
      .map((rule) => problem(NO_AUDIT, rule)),
  ];
  if (found.length > 0) return unique(found);
  return unique([
    ...pathProblems(ruleSet, 'process'),
    ...pathProblems(ruleSet, 'file'),
    ...socketProblems(ruleSet),
    ...capabilityProblems(ruleSet),
  ]);
}

/** Whether something is refused by the rule, or by the posture because of it, for one program only. */
function isBoundRefusal({ posture }: RuleSet, { source, action, kind }: CompiledRule): boolean {
  return source !== undefined && (action === 'Block' || posture[kind] === 'block');
}

function problem(reason: string, ...rules: readonly CompiledRule[]): Inexpressible {
  const [first] = rules;
  if (first === undefined) throw new Error('a problem has a rule');
  const named = rules.map((rule) => `${rule.action} ${rule.kind} ${rule.path}`);
  return {
    kind: first.kind,
    policies: [...new Set(rules.map(({ policy }) => `${policy.namespace}/${policy.name}`))],
    reason: `${[...new Set(named)].join(', ')}: ${reason}`,
  };
}

function unique(problems: readonly Inexpressible[]): Inexpressible[] {
  return [...new Map(problems.map((one) => [JSON.stringify(one), one])).values()];
}

function* pathProblems(ruleSet: RuleSet, kind: 'file' | 'process'): Generator<Inexpressible> {
  const index = new Map<string, CompiledRule[]>();
  for (const rule of ruleSet.rules)
    if (rule.kind === kind) {
      const key = `${rule.match} ${rule.path}`;
      index.set(key, [...(index.get(key) ?? []), rule]);
    }
  if (![...index.values()].flat().some(({ action }) => action === 'Block')) return;
  for (const access of witnesses(ruleSet, kind)) {
    const deny = rulesOn(index, access).find((rule) => rule.action === 'Block' && applies(rule, access));
    if (deny === undefined) continue;
    const { rule, result } = match(ruleSet, access);
    if (result !== 'block' && rule !== undefined) yield problem(DENY_WINS, rule, deny);
  }
}

/** All rules whose path the access is about, whatever their rank. */
function rulesOn(index: ReadonlyMap<string, readonly CompiledRule[]>, access: Access): CompiledRule[] {
  if (access.kind !== 'file' && access.kind !== 'process') return [];
  const { path } = access;
  const at = (key: string) => index.get(key) ?? [];
  const parents = [...path.matchAll(/\//g)].map(({ index: end }) => path.slice(0, end + 1));
  const dirs = [asDirectory(path), ...parents.reverse()];
  return [
    ...at(`exact ${path}`),
    ...at(`execname ${lastName(path)}`),
    ...dirs.flatMap((dir, depth) => [...(depth < 2 ? at(`dir ${dir}`) : []), ...at(`dirRecursive ${dir}`)]),
  ];
}

function* socketProblems(ruleSet: RuleSet): Generator<Inexpressible> {
  const [blocks, allows] = [socketRules(ruleSet, 'Block'), socketRules(ruleSet, 'Allow')];
  const isList = ruleSet.posture.network === 'block';
  if (blocks.length === 0 && !isList) return;
  for (const { socket, access } of socketWitnesses(ruleSet)) {
    const { result, rule } = match(ruleSet, access);
    const names: readonly string[] = access.protocols;
    if (result !== 'block' && rule?.source !== undefined) {
      const deny = blocks.find(({ path }) => names.includes(path));
      if (deny) yield problem(DENY_WINS, rule, deny);
    }
    const denied = coversSocket(blocks, socket) || (isList && !coversSocket(allows, socket));
    if (denied === (result === 'block')) continue;
    const meant = rule ?? allows.find(({ path }) => !names.includes(path));
    if (meant !== undefined && meant.source === undefined) yield problem(NO_PROTOCOL, meant);
  }
}

/** All rules on a capability have one rank, but for those that are bound to a program. */
function* capabilityProblems(ruleSet: RuleSet): Generator<Inexpressible> {
  const rules = ruleSet.rules.filter(({ kind }) => kind === 'capability');
  for (const block of rules.filter(({ action }) => action === 'Block'))
    for (const bound of rules)
      if (bound.source !== undefined && bound.path === block.path) yield problem(DENY_WINS, bound, block);
}
