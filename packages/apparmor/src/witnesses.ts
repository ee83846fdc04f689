// Accesses that stand for all others: whatever is done in a container, the rules of a rule set and the profile made of
// them treat it as they treat one of these. So the two can be compared without looking at every path there is.
import { asDirectory, type Access, type RuleSet } from '@alert-throttle/policy';
import { SOCKETS } from './sockets.ts';

type PathKind = 'file' | 'process';

/**
 * What a path gets depends on the exact rules for it, on its last name, and on how deep it lies below each directory that
 * a rule names: not at all, directly, or further.
 */
function paths(ruleSet: RuleSet, kind: PathKind): Set<string> {
  const rules = ruleSet.rules.filter((rule) => rule.kind === kind);
  const other = freshName(rules.map(({ path }) => path));
  const names = rules.filter(({ match }) => match === 'execname').map(({ path }) => path);
  const found = new Set(rules.filter(({ match }) => match === 'exact').map(({ path }) => path));
  const directories = rules.filter(({ match }) => match === 'dir' || match === 'dirRecursive');
  for (const dir of new Set(['/', ...directories.map(({ path }) => asDirectory(path))])) {
    if (dir !== '/') found.add(dir.slice(0, -1));
    for (const name of [other, ...names]) {
      found.add(`${dir}${name}`);
      found.add(`${dir}${other}/${name}`);
    }
  }
  return found;
}

/** A name that no rule has. */
function freshName(texts: readonly string[]): string {
  const taken = new Set(texts.flatMap((text) => text.split('/')));
  let name = 'other';
  while (taken.has(name)) name += '-';
  return name;
}

const YES_AND_NO = [true, false] as const;

/** By every program that rules of the kind are bound to, and by another. */
function sources(ruleSet: RuleSet, kind: Access['kind']): { readonly source?: string }[] {
  const bound = ruleSet.rules.filter((rule) => rule.kind === kind).flatMap(({ source }) => source ?? []);
  return [{}, ...[...new Set(bound)].map((source) => ({ source }))];
}

export function* witnesses(ruleSet: RuleSet, kind: 'file' | 'process'): Generator<Access> {
  for (const by of sources(ruleSet, kind))
    for (const path of paths(ruleSet, kind))
      for (const owner of YES_AND_NO)
        if (kind === 'process') yield { kind, path, owner, ...by };
        else for (const write of YES_AND_NO) yield { kind, path, owner, write, ...by };
}

export function* socketWitnesses(ruleSet: RuleSet) {
  for (const by of sources(ruleSet, 'network'))
    for (const socket of SOCKETS)
      yield { socket, access: { kind: 'network', protocols: socket.protocols, ...by } as const };
}
