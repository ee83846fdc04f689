// Rules name paths; the kernel sees where they lead. A rule's path is resolved inside the container, and where it leads
// to a file of the same name elsewhere (merged /usr, a projected secret), the rule is in force for both.
//
// Where it leads to another name (an applet of BusyBox), the rule is not extended: it would hit every other applet, too.
import { createHash } from 'node:crypto';
import { lastName, type CompiledRule, type RuleSet } from '@alert-throttle/policy';

/**
 * The path that `path` leads to inside the container; undefined where there is nothing, or too many links. `isAllowed`: by
 * an Allow rule, which must not be extended by whoever it is to hold.
 */
export type Resolve = (path: string, isAllowed: boolean) => string | undefined;

/** A rule that names a file which is another one in truth. */
export interface Misleading {
  readonly rule: CompiledRule;
  readonly path: string;
  readonly target: string;
}

export interface Resolved {
  readonly ruleSet: RuleSet;
  readonly misleading: readonly Misleading[];
}

/** The rule set with all the paths under which its files are seen; the same one where nothing leads elsewhere. */
export function resolveRuleSet(ruleSet: RuleSet, resolve: Resolve): Resolved {
  const misleading: Misleading[] = [];
  const targets = new Map<string, string | undefined>();
  const targetOf = (rule: CompiledRule, path: string): string | undefined => {
    const isAllowed = rule.action === 'Allow';
    const key = `${isAllowed} ${path}`;
    if (!targets.has(key)) targets.set(key, resolve(path, isAllowed));
    const target = targets.get(key);
    if (target === undefined || target === path) return undefined;
    if (nameOf(target) === nameOf(path)) return target;
    misleading.push({ rule, path, target });
    return undefined;
  };
  const added = ruleSet.rules.flatMap((rule): CompiledRule[] => {
    const path = hasPath(rule) ? targetOf(rule, rule.path) : undefined;
    const source = rule.source === undefined ? undefined : targetOf(rule, rule.source);
    const paths = [rule.path, ...(path === undefined ? [] : [path])];
    const sources = [rule.source, ...(source === undefined ? [] : [source])];
    const all = paths.flatMap((one) =>
      sources.map((from) => ({ ...rule, path: one, ...(from === undefined ? {} : { source: from }) })),
    );
    return all.slice(1);
  });
  const fresh = withoutKnown(added, ruleSet.rules);
  if (fresh.length === 0) return { ruleSet, misleading };
  const rules = [...ruleSet.rules, ...fresh];
  return { ruleSet: { ...ruleSet, rules, key: keyOf(ruleSet.key, fresh) }, misleading };
}

/** The paths to ask for: those whose targets are followed, and those of Allow rules, whose targets are kept. */
export function pathsOf({ rules }: RuleSet): { readonly followed: string[]; readonly kept: string[] } {
  const followed = new Set<string>();
  const kept = new Set<string>();
  for (const rule of rules) {
    const paths = rule.action === 'Allow' ? kept : followed;
    if (hasPath(rule)) paths.add(rule.path);
    if (rule.source !== undefined) paths.add(rule.source);
  }
  return { followed: [...followed], kept: [...kept] };
}

/** Paths of files and directories; the others are names and numbers. */
function hasPath({ match }: CompiledRule): boolean {
  return match === 'exact' || match === 'dir' || match === 'dirRecursive';
}

/** Directories are written with a slash at the end. */
function nameOf(path: string): string {
  return lastName(path.endsWith('/') ? path.slice(0, -1) : path);
}

/** A policy may name both paths itself. */
function withoutKnown(added: readonly CompiledRule[], known: readonly CompiledRule[]): CompiledRule[] {
  const seen = new Set(known.map(placeOf));
  return added.filter((rule) => {
    const place = placeOf(rule);
    if (seen.has(place)) return false;
    seen.add(place);
    return true;
  });
}

function placeOf({ kind, match, path, source, action, readOnly, ownerOnly }: CompiledRule): string {
  return JSON.stringify([kind, match, path, source ?? null, action, readOnly, ownerOnly]);
}

function keyOf(key: string, added: readonly CompiledRule[]): string {
  const content = added.map((rule) => [rule.number, placeOf(rule)]);
  return createHash('sha256')
    .update(JSON.stringify([key, content]))
    .digest('hex');
}
