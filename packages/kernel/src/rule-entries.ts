// From a rule set to the entries of the kernel's maps: rules that differ only in action and conditions share one entry.
// Pure, but for the hasher. Where names and which number the set gets is not known here.
import { createHash } from 'node:crypto';
import {
  ACTIONS,
  ancestorHints,
  capabilityNumber,
  components,
  KINDS,
  MATCHES,
  protocolNumber,
  type Capability,
  type CompiledRule,
  type Kind,
  type Protocol,
  type RuleSet,
} from '@alert-throttle/policy';
import * as layout from './layout.ts';

/** The functions of bpf/include/hash.h under the secret of these maps. */
export interface Hasher {
  readonly path: (path: string) => { readonly hash: bigint; readonly depth: number };
  readonly name: (text: string) => bigint;
}

export interface RuleEntry {
  readonly hash: bigint;
  readonly sourceHash: bigint;
  readonly kind: number;
  readonly match: number;
  readonly depth: number;
  /** Numbers of rules by action and conditions. */
  readonly rules: readonly (readonly number[])[];
  /** What a hit is confirmed against. */
  readonly names: readonly string[];
  readonly sourceNames: readonly string[];
}

export interface HintEntry {
  readonly hash: bigint;
  readonly depth: number;
  readonly rule: number;
  readonly kind: number;
  readonly names: readonly string[];
}

export interface RuleSetEntries {
  readonly value: layout.RuleSetValue;
  readonly rules: readonly RuleEntry[];
  readonly hints: readonly HintEntry[];
}

export function entriesOf(ruleSet: RuleSet, hasher: Hasher): RuleSetEntries {
  const groups = Map.groupBy(ruleSet.rules, ({ kind, match, path, source }) =>
    JSON.stringify([kind, match, path, source ?? null]),
  );
  const rules = [...groups.values()].map((group) => ruleEntry(group, hasher));
  const hints = [...ancestorHints(ruleSet)].map(([directory, rule]): HintEntry => ({
    ...hasher.path(directory),
    rule: rule.number,
    kind: KINDS.indexOf(rule.kind),
    names: components(directory),
  }));
  return { value: valueOf(ruleSet), rules, hints };
}

function ruleEntry(group: readonly CompiledRule[], hasher: Hasher): RuleEntry {
  const [first] = group;
  if (!first) throw new RangeError('a group of rules is never empty');
  const rules = ACTIONS.map(() => [0, 0, 0, 0]);
  for (const rule of group) {
    const conditions = rules[ACTIONS.indexOf(rule.action)] ?? [];
    conditions[conditionsOf(rule)] = rule.number;
  }
  return {
    ...placeOf(first, hasher),
    // 0 is kept for rules without a source.
    sourceHash: first.source === undefined ? 0n : hasher.path(first.source).hash || 1n,
    kind: KINDS.indexOf(first.kind),
    match: MATCHES.indexOf(first.match),
    rules,
    sourceNames: first.source === undefined ? [] : components(first.source),
  };
}

function conditionsOf({ readOnly, ownerOnly }: CompiledRule): number {
  return (readOnly ? layout.COND_READ_ONLY : 0) | (ownerOnly ? layout.COND_OWNER_ONLY : 0);
}

function placeOf({ match, path }: CompiledRule, hasher: Hasher): Pick<RuleEntry, 'hash' | 'depth' | 'names'> {
  switch (match) {
    case 'exact':
    case 'dir':
    case 'dirRecursive':
      return { ...hasher.path(path), names: components(path) };
    case 'execname':
      return { hash: hasher.name(path), depth: 0, names: [path] };
    case 'protocol':
      return { hash: BigInt(protocolNumber(path as Protocol)), depth: 0, names: [] };
    case 'capability':
      return { hash: BigInt(capabilityNumber(path as Capability)), depth: 0, names: [] };
  }
}

function valueOf(ruleSet: RuleSet): layout.RuleSetValue {
  const of = (kind: Kind) => ruleSet.rules.filter((rule) => rule.kind === kind);
  return {
    dir_depths: (['process', 'file'] as const).map((kind) =>
      [false, true].map((withSource) =>
        depthBits(of(kind).filter((rule) => (rule.source !== undefined) === withSource)),
      ),
    ),
    features: KINDS.map((kind) => featuresOf(of(kind), kind, ruleSet.posture[kind] === 'block')),
    posture: KINDS.map((kind) => layout.POSTURES.indexOf(ruleSet.posture[kind])),
    audited: ruleSet.audited ? 1 : 0,
    hints: ruleSet.rules.some((rule) => rule.action === 'Block' && hasPath(rule)) ? 1 : 0,
    pad: [0, 0],
  };
}

/** 192 bits in three words: the depths at which there are rules for directories. */
function depthBits(rules: readonly CompiledRule[]): bigint[] {
  const words = [0n, 0n, 0n];
  for (const rule of rules.filter(isDirectory)) {
    const depth = components(rule.path).length;
    const word = Math.floor(depth / 64);
    words[word] = (words[word] ?? 0n) | (1n << BigInt(depth % 64));
  }
  return words;
}

function featuresOf(rules: readonly CompiledRule[], kind: Kind, postureBlocks: boolean): number {
  const { HAS } = layout;
  const some = (bit: number, test: (rule: CompiledRule) => boolean) => (rules.some(test) ? bit : 0);
  const blocks = rules.some((rule) => rule.action === 'Block') || postureBlocks;
  return (
    some(HAS.rules, () => true) |
    some(HAS.exact, (rule) => rule.match === 'exact') |
    some(HAS.execname, (rule) => rule.match === 'execname') |
    some(HAS.dir, isDirectory) |
    some(HAS.source, (rule) => rule.source !== undefined) |
    some(HAS.noSource, (rule) => rule.source === undefined) |
    some(HAS.owner, (rule) => rule.ownerOnly) |
    (blocks ? HAS.block : 0) |
    (blocks && kind === 'file' ? HAS.writeBlock : 0)
  );
}

function isDirectory({ match }: CompiledRule): boolean {
  return match === 'dir' || match === 'dirRecursive';
}

function hasPath(rule: CompiledRule): boolean {
  return rule.match === 'exact' || isDirectory(rule);
}

/**
 * Equal for rule sets that make the same entries, whatever their order: so a rule set that is found in pinned maps is
 * known again.
 */
export function digestOf({ value, rules, hints }: RuleSetEntries): string {
  const lines = [
    ...rules.map((entry) => ['rule', ...Object.entries(entry).toSorted(byKey)]),
    ...hints.map((entry) => ['hint', ...Object.entries(entry).toSorted(byKey)]),
  ].map((line) => JSON.stringify(line, (_, part: unknown) => (typeof part === 'bigint' ? `${part}` : part)));
  const hash = createHash('sha256').update(layout.ruleset.encode(value));
  for (const line of lines.sort()) hash.update(line).update('\n');
  return hash.digest('hex');
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
