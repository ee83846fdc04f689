// What an access has to come to: the pure matcher's verdict on each of a file's names, put together as the contract of the
// programs says; written from that, not from the programs.
import {
  ancestorHints,
  match,
  type Access,
  type CompiledRule,
  type Kind,
  type RuleSet,
} from '@alert-throttle/policy';
import { RULE_POSTURE, type Operation } from '../layout.ts';

export interface ExpectedAlert {
  readonly operation: Operation;
  readonly kind: Kind;
  readonly result: number;
  readonly rule: number;
  readonly resource: string;
  readonly unreachable: boolean;
}

export interface Expected {
  readonly result: number;
  readonly alerts: readonly ExpectedAlert[];
}

/** The names of one file: from the root of its mount namespace, and inside the container's root file system. */
export interface FileNames {
  readonly first: string | undefined;
  readonly second: string | undefined;
}

type Decision = Pick<ExpectedAlert, 'rule' | 'result' | 'unreachable' | 'resource'> | undefined;

const REFUSED = { process: -13, file: -13, network: -13, capability: -1 } as const;

function decisionOf(ruleSet: RuleSet, access: Access, resource: string): Decision {
  const { alert, errno, rule } = match(ruleSet, access);
  if (!alert) return undefined;
  const result = errno === undefined ? 0 : REFUSED[access.kind];
  return { rule: rule?.number ?? RULE_POSTURE, result, unreachable: false, resource };
}

/** 0 is the strictest: Block, posture block, Audit, posture audit, Allow, nothing. */
function strictness(ruleSet: RuleSet, access: Access): number {
  const { rule } = match(ruleSet, access);
  const posture = { block: 1, audit: 3, none: 5 }[ruleSet.posture[access.kind]];
  return rule ? { Block: 0, Audit: 2, Allow: 4 }[rule.action] : posture;
}

type FileAccess = Extract<Access, { path: string }>;
type Without<T> = T extends FileAccess ? Omit<T, 'path' | 'source'> : never;
export type Asked = Without<FileAccess> & { readonly source?: string | undefined };

function named({ source, ...asked }: Asked, path: string): FileAccess {
  return { ...asked, path, ...(source === undefined ? {} : { source }) };
}

/** The stricter of the verdicts on two names; without any, refused where the kind refuses anything at all. */
function decideFile(ruleSet: RuleSet, asked: Asked, { first, second }: FileNames): Decision {
  if (first !== undefined && second !== undefined) {
    const [one, other] = [named(asked, first), named(asked, second)];
    const decisive = strictness(ruleSet, one) < strictness(ruleSet, other) ? one : other;
    return decisionOf(ruleSet, decisive, first);
  }
  const only = first ?? second;
  if (only !== undefined) return decisionOf(ruleSet, named(asked, only), only);
  return refusesAnything(ruleSet, asked.kind) ? unreachable(ruleSet, asked.kind) : undefined;
}

export function refusesAnything(ruleSet: RuleSet, kind: Kind): boolean {
  return (
    ruleSet.posture[kind] === 'block' ||
    ruleSet.rules.some((rule) => rule.kind === kind && rule.action === 'Block')
  );
}

function unreachable(ruleSet: RuleSet, kind: Kind): Decision {
  const result = ruleSet.audited ? 0 : REFUSED[kind];
  return { rule: RULE_POSTURE, result, unreachable: true, resource: '' };
}

interface Step {
  readonly operation: Operation;
  readonly kind: Kind;
  readonly decision: Decision;
}

/** Up to the first refusal; of each rule one alert. */
function conclude(steps: readonly Step[]): Expected {
  const alerts: ExpectedAlert[] = [];
  for (const { operation, kind, decision } of steps) {
    if (!decision) continue;
    if (decision.result !== 0 || !alerts.some(({ rule }) => rule === decision.rule))
      alerts.push({ operation, kind, ...decision });
    if (decision.result !== 0) return { result: decision.result, alerts };
  }
  return { result: 0, alerts };
}

export function expectedOfFile(
  ruleSet: RuleSet,
  operation: Operation,
  asked: Asked,
  names: FileNames,
): Expected {
  if (!ruleSet.rules.some(({ kind }) => kind === asked.kind)) return { result: 0, alerts: [] };
  return conclude([{ operation, kind: asked.kind, decision: decideFile(ruleSet, asked, names) }]);
}

export function expectedOfValue(ruleSet: RuleSet, operation: Operation, access: Access): Expected {
  return conclude([{ operation, kind: access.kind, decision: decisionOf(ruleSet, access, '') }]);
}

export interface Moved {
  readonly from: string;
  readonly to: string;
  readonly directory: boolean;
  /** Of the file, and of what has the new name; undefined: nothing has. */
  readonly owner: number;
  readonly otherOwner: number | undefined;
  readonly uid: number;
  readonly source: string | undefined;
}

/** The old name, the protected paths below it, what may not be executed, the new name. */
export function expectedOfMove(ruleSet: RuleSet, how: 'rename' | 'link', moved: Moved): Expected {
  const { from, to, directory, uid, source } = moved;
  const [away, into] =
    how === 'rename' ? (['renameFrom', 'renameTo'] as const) : (['linkFrom', 'linkTo'] as const);
  const sourced = source === undefined ? {} : { source };
  const file = (path: string, owner: number): Decision =>
    decideFile(
      ruleSet,
      { kind: 'file', write: true, owner: owner === uid, ...sourced },
      { first: path, second: undefined },
    );
  const hint = how === 'rename' && directory ? ancestorHints(ruleSet).get(`${from}/`) : undefined;
  return conclude([
    { operation: away, kind: 'file', decision: file(from, moved.owner) },
    { operation: away, kind: hint?.kind ?? 'file', decision: hint && refusal(ruleSet, hint, from) },
    { operation: away, kind: 'process', decision: executable(ruleSet, moved) },
    { operation: into, kind: 'file', decision: file(to, moved.otherOwner ?? moved.owner) },
  ]);
}

function refusal(ruleSet: RuleSet, rule: CompiledRule, resource: string): Decision {
  const result = ruleSet.audited ? 0 : REFUSED.file;
  return { rule: rule.number, result, unreachable: false, resource };
}

/** What a Block process rule names gets no other name; a rule on an execname says nothing of directories. */
function executable(ruleSet: RuleSet, { from, directory, owner, uid }: Moved): Decision {
  const rules = ruleSet.rules.filter(
    ({ kind, source, match: how }) =>
      kind === 'process' && source === undefined && !(directory && how === 'execname'),
  );
  const posture = { ...ruleSet.posture, process: 'none' as const };
  const asked: Access = { kind: 'process', path: from, owner: owner === uid };
  const { rule } = match({ ...ruleSet, rules, posture }, asked);
  return rule?.action === 'Block' ? refusal(ruleSet, rule, from) : undefined;
}
