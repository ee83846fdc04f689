// The verdict, as the kernel programs give it: pure, so that policies can be explained and the programs be tested against it.
import { alertText, errnoOf, type AlertText, type Errno } from './alert-text.ts';
import { PROTOCOLS, type Capability, type Protocol } from './names.ts';
import { asDirectory, lastName, parentDirectories } from './paths.ts';
import { ACTIONS, type CompiledRule, type Match, type RuleSet } from './types.ts';

/** `source`: path of the parent's executable for process accesses, of the task's own for the others. */
interface FromSource {
  readonly source?: string;
}

export interface ProcessAccess extends FromSource {
  readonly kind: 'process';
  readonly path: string;
  /** Whether the task owns the executable. */
  readonly owner: boolean;
}

export interface FileAccess extends FromSource {
  readonly kind: 'file';
  readonly path: string;
  readonly write: boolean;
  readonly owner: boolean;
}

export interface NetworkAccess extends FromSource {
  readonly kind: 'network';
  /** All names of the socket: `socketProtocols`. */
  readonly protocols: readonly Protocol[];
}

export interface CapabilityAccess extends FromSource {
  readonly kind: 'capability';
  readonly capability: Capability;
}

export type Access = ProcessAccess | FileAccess | NetworkAccess | CapabilityAccess;

export interface Verdict {
  readonly result: 'allow' | 'block' | 'audit';
  /** What the system call returns; undefined where nothing is refused. */
  readonly errno: Errno | undefined;
  /** The rule that decided; undefined where none matched. */
  readonly rule: CompiledRule | undefined;
  /** No rule matched, and the posture refused or audited. */
  readonly posture: boolean;
  readonly alert: AlertText | undefined;
}

/** Where to look at one rank: rules found under any of these have equal rank. */
type Rank = readonly (readonly [Match, string])[];

/**
 * The best rule by rank, that is: bound to the source before not bound; exact path, execname, nearest directory. At equal
 * rank Block before Audit before Allow. A rule that is narrowed and does not apply is as if it were not there.
 */
export function match(ruleSet: RuleSet, access: Access): Verdict {
  const rule = decidingRule(ruleSet, access);
  return verdictOf(ruleSet, access.kind, rule);
}

/** The verdict where `rule` decides, or, where it is undefined, the posture. */
export function verdictOf(ruleSet: RuleSet, kind: Access['kind'], rule: CompiledRule | undefined): Verdict {
  const alert = alertText(ruleSet, kind, rule);
  const refused = alert?.action === 'Block';
  return {
    result: refused ? 'block' : alert ? 'audit' : 'allow',
    errno: refused ? errnoOf(kind) : undefined,
    rule,
    posture: rule === undefined && alert !== undefined,
    alert,
  };
}

function decidingRule(ruleSet: RuleSet, access: Access): CompiledRule | undefined {
  const index = indexOf(ruleSet);
  const ranks = ranksOf(access);
  const sources = access.source === undefined ? [undefined] : [access.source, undefined];
  for (const source of sources) {
    for (const rank of ranks) {
      const rule = bestAt(index, access, rank, source);
      if (rule) return rule;
    }
  }
  return undefined;
}

function ranksOf(access: Access): Rank[] {
  switch (access.kind) {
    case 'process':
      return [
        [['exact', access.path]],
        [['execname', lastName(access.path)]],
        ...directoryRanks(access.path),
      ];
    case 'file':
      return [[['exact', access.path]], ...directoryRanks(access.path)];
    case 'network':
      // Which of several rules is named, matters only for the alert: the more telling name, `all` last.
      return [
        [...PROTOCOLS.slice(1), PROTOCOLS[0]]
          .filter((name) => access.protocols.includes(name))
          .map((name) => ['protocol', name] as const),
      ];
    case 'capability':
      return [[['capability', access.capability]]];
  }
}

/** The directory itself belongs to it; what lies directly in it, to both kinds of rules; what lies deeper, to one. */
function directoryRanks(path: string): Rank[] {
  const both = (dir: string): Rank => [
    ['dirRecursive', dir],
    ['dir', dir],
  ];
  const [parent, ...further] = parentDirectories(path);
  return [
    both(asDirectory(path)),
    ...(parent === undefined ? [] : [both(parent)]),
    ...further.map((dir): Rank => [['dirRecursive', dir]]),
  ];
}

function bestAt(
  index: Index,
  access: Access,
  rank: Rank,
  source: string | undefined,
): CompiledRule | undefined {
  const found = rank.flatMap(([how, path]) => index.get(indexKey(access.kind, how, path, source)) ?? []);
  const applying = found.filter((rule) => applies(rule, access));
  for (const action of ACTIONS) {
    const rule = applying.find((candidate) => candidate.action === action);
    if (rule) return rule;
  }
  return undefined;
}

/**
 * Block and Audit: readOnly leaves reads alone, ownerOnly leaves the owner alone; with both, what is left alone is the
 * owner's reading. Allow: readOnly allows reading, ownerOnly the owner; with both, the owner's reading.
 */
export function applies(rule: CompiledRule, access: Access): boolean {
  const reads = access.kind !== 'file' || !access.write;
  const owns = (access.kind !== 'file' && access.kind !== 'process') || access.owner;
  const inside = (!rule.readOnly || reads) && (!rule.ownerOnly || owns);
  if (rule.action === 'Allow') return inside;
  return (!rule.readOnly && !rule.ownerOnly) || !inside;
}

type Index = ReadonlyMap<string, readonly CompiledRule[]>;

const indexes = new WeakMap<RuleSet, Index>();

function indexOf(ruleSet: RuleSet): Index {
  const known = indexes.get(ruleSet);
  if (known) return known;
  const index = new Map<string, CompiledRule[]>();
  for (const rule of ruleSet.rules) {
    const key = indexKey(rule.kind, rule.match, rule.path, rule.source);
    const same = index.get(key);
    if (same) same.push(rule);
    else index.set(key, [rule]);
  }
  for (const rules of index.values()) rules.sort((a, b) => narrowness(a) - narrowness(b));
  indexes.set(ruleSet, index);
  return index;
}

/** Of several rules that decide alike, the alert names the least narrowed: the same order as the bits in the kernel. */
function narrowness(rule: CompiledRule): number {
  return (rule.readOnly ? 1 : 0) + (rule.ownerOnly ? 2 : 0);
}

function indexKey(kind: string, how: Match, path: string, source: string | undefined): string {
  return `${kind}\0${how}\0${path}\0${source ?? ''}`;
}
