// The directories above what Block rules protect. Whoever renames one moves the protected file out of the rule's path, so
// the programs refuse that with the rule's alert.
import { parentDirectories } from './paths.ts';
import type { CompiledRule, RuleSet } from './types.ts';

/**
 * Ancestors of the paths of Block rules, as rules spell directories, without the root, which cannot be renamed; each with
 * the rule to name: of several the one with the smallest number.
 */
export function ancestorHints(ruleSet: RuleSet): ReadonlyMap<string, CompiledRule> {
  const hints = new Map<string, CompiledRule>();
  for (const rule of ruleSet.rules) {
    if (rule.action !== 'Block' || !hasPath(rule)) continue;
    for (const directory of parentDirectories(rule.path)) {
      const other = hints.get(directory);
      if (directory !== '/' && (!other || rule.number < other.number)) hints.set(directory, rule);
    }
  }
  return hints;
}

function hasPath(rule: CompiledRule): boolean {
  return rule.match === 'exact' || rule.match === 'dir' || rule.match === 'dirRecursive';
}
