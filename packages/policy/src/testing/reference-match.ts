// The verdict once more, written from its definition and not for use: every rule is tried on every access, and the best of
// all that match is found by comparing, not by looking in the order of ranks. Tests hold the matcher against it.
import { alertText, errnoOf } from '../alert-text.ts';
import type { Access, Verdict } from '../match.ts';
import { judgeWith, type Outcome, type Judging } from '../operations.ts';
import type { CompiledRule, RuleSet } from '../types.ts';

export function referenceMatch(ruleSet: RuleSet, access: Access): Verdict {
  const [rule] = ruleSet.rules
    .filter((candidate) => concerns(candidate, access))
    .map((candidate) => ({ candidate, rank: rankOf(candidate) }))
    .sort((a, b) => compareRanks(a.rank, b.rank))
    .map(({ candidate }) => candidate);
  const alert = alertText(ruleSet, access.kind, rule);
  const errno = alert?.action === 'Block' ? errnoOf(access.kind) : undefined;
  const passes = alert ? ('audit' as const) : ('allow' as const);
  return { result: errno ? 'block' : passes, errno, rule, posture: !rule && alert !== undefined, alert };
}

export function referenceJudge(...args: Judging): Outcome {
  return judgeWith(referenceMatch, ...args);
}

function concerns(rule: CompiledRule, access: Access): boolean {
  if (rule.kind !== access.kind) return false;
  if (rule.source !== undefined && rule.source !== access.source) return false;
  return targets(rule, access) && conditionsHold(rule, access);
}

function targets(rule: CompiledRule, access: Access): boolean {
  if (access.kind === 'network') return access.protocols.some((name) => name === rule.path);
  if (access.kind === 'capability') return access.capability === rule.path;
  const { path } = access;
  switch (rule.match) {
    case 'exact':
      return path === rule.path;
    case 'execname':
      return path.endsWith(`/${rule.path}`);
    case 'dirRecursive':
      return `${path}/`.replace('//', '/').startsWith(rule.path);
    case 'dir':
      return `${path}/`.replace('//', '/') === rule.path || path.replace(/[^/]+$/, '') === rule.path;
    default:
      return false;
  }
}

/** By cases: [readOnly, ownerOnly] of the rule, then what the access is. */
function conditionsHold(rule: CompiledRule, access: Access): boolean {
  const writes = access.kind === 'file' && access.write;
  const foreign = (access.kind === 'file' || access.kind === 'process') && !access.owner;
  const harmful = [rule.readOnly && writes, rule.ownerOnly && foreign].includes(true);
  if (rule.action === 'Allow') return !harmful;
  return harmful || !(rule.readOnly || rule.ownerOnly);
}

/** Smaller is better, the first difference decides. */
function rankOf(rule: CompiledRule): number[] {
  const closeness = { exact: 0, protocol: 0, capability: 0, execname: 1, dir: 2, dirRecursive: 2 }[
    rule.match
  ];
  const depth = closeness === 2 ? rule.path.split('/').length : 0;
  const action = { Block: 0, Audit: 1, Allow: 2 }[rule.action];
  const named = rule.match === 'protocol' ? NAMED_FIRST.indexOf(rule.path) : Number(rule.match === 'dir');
  const narrowness = Number(rule.readOnly) + 2 * Number(rule.ownerOnly);
  return [Number(rule.source === undefined), closeness, -depth, action, named, narrowness];
}

const NAMED_FIRST = 'tcp udp raw icmp icmpv6 sctp stream dgram rdm seqpacket dccp packet all'.split(' ');

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const first = a.findIndex((part, i) => part !== b[i]);
  return first < 0 ? 0 : (a[first] ?? 0) - (b[first] ?? 0);
}
