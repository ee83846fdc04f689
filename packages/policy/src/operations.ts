// System calls as the accesses that they are judged by, and what comes of a whole call. Explains a verdict to people, and is
// what the conformance vectors are written in, because a test can carry operations out, but no access alone.
import { ancestorHints } from './hints.ts';
import { match, verdictOf, type Access, type Verdict } from './match.ts';
import type { Capability } from './names.ts';
import { asDirectory } from './paths.ts';
import { socketProtocols } from './sockets.ts';
import type { AlertText, Errno } from './alert-text.ts';
import type { RuleSet } from './types.ts';

export type Operation =
  | { readonly do: 'exec'; readonly path: string }
  /** `flags`: r, w or rw, then with a plus each of open(2)'s further flags, such as trunc. */
  | { readonly do: 'open'; readonly path: string; readonly flags: string }
  | { readonly do: PathChange; readonly path: string }
  | { readonly do: 'rename' | 'link'; readonly from: string; readonly to: string }
  | {
      readonly do: 'socket' | 'connect' | 'accept';
      readonly family: number;
      readonly type: number;
      readonly protocol: number;
    }
  | { readonly do: 'capability'; readonly capability: Capability };

type PathChange = 'create' | 'unlink' | 'symlink' | 'mkdir' | 'rmdir' | 'chmod' | 'chown' | 'truncate';

export interface Actor {
  readonly uid: number;
  /** Path of the executable that does it; for exec, of the parent that started the task. */
  readonly source?: string;
}

/** What there is in the container, as far as a verdict depends on it. */
export interface Files {
  /** Undefined: there is no such file. */
  ownerOf(path: string): number | undefined;
  /** Where a symbolic link leads to, to the end; the path itself where it is none. */
  resolve(path: string): string;
  /** The interpreter of a script. */
  interpreterOf(path: string): string | undefined;
  isDirectory(path: string): boolean;
}

export interface RaisedAlert extends AlertText {
  /** The path that the rule, or the posture, was about. Sockets and capabilities have none. */
  readonly resource: string | undefined;
}

export interface Outcome {
  readonly result: Verdict['result'];
  readonly errno: Errno | undefined;
  /** At most one for each rule. */
  readonly alerts: readonly RaisedAlert[];
}

/** What gets another name, and so could be executed by one that no rule has. */
interface Renamed {
  readonly path: string;
  readonly owner: boolean;
  readonly directory: boolean;
}

type Step = { readonly access: Access } | { readonly movedDirectory: string } | { readonly renamed: Renamed };

export type Judging = [ruleSet: RuleSet | undefined, operation: Operation, actor: Actor, files: Files];

/** Judged access by access, up to the first refusal. Without a rule set everything goes, in silence. */
export function judge(...judging: Judging): Outcome {
  return judgeWith(match, ...judging);
}

/** The same by another matcher. */
export function judgeWith(matcher: typeof match, ...[ruleSet, operation, actor, files]: Judging): Outcome {
  const alerts: RaisedAlert[] = [];
  const raised = new Set<unknown>();
  if (!ruleSet) return { result: 'allow', errno: undefined, alerts };
  for (const step of stepsOf(operation, actor, files)) {
    const verdict = verdictOn(step, ruleSet, matcher);
    if (!verdict?.alert) continue;
    const subject = verdict.rule?.number ?? verdict.alert.operation;
    if (!raised.has(subject)) alerts.push({ ...verdict.alert, resource: resourceOf(step) });
    raised.add(subject);
    if (verdict.errno) return { result: 'block', errno: verdict.errno, alerts };
  }
  return { result: alerts.length > 0 ? 'audit' : 'allow', errno: undefined, alerts };
}

function verdictOn(step: Step, ruleSet: RuleSet, matcher: typeof match): Verdict | undefined {
  if ('access' in step) return matcher(ruleSet, step.access);
  if ('renamed' in step) return verdictOnName(ruleSet, step.renamed, matcher);
  return verdictOnMove(ruleSet, step.movedDirectory);
}

/**
 * What a Block rule forbids to execute gets no other name: neither by rename nor by a hard link. Only rules for whatever
 * executes it count, as it is not executed yet, and of a directory only those that name directories or paths.
 */
function verdictOnName(
  ruleSet: RuleSet,
  { path, owner, directory }: Renamed,
  matcher: typeof match,
): Verdict | undefined {
  const rules = ruleSet.rules.filter(
    (rule) => rule.source === undefined && !(directory && rule.match === 'execname'),
  );
  const verdict = matcher({ ...ruleSet, rules }, { kind: 'process', path, owner });
  return verdict.rule?.action === 'Block' ? verdict : undefined;
}

function verdictOnMove(ruleSet: RuleSet, path: string): Verdict | undefined {
  const rule = ancestorHints(ruleSet).get(asDirectory(path));
  return rule && verdictOf(ruleSet, rule.kind, rule);
}

function resourceOf(step: Step): string | undefined {
  if ('movedDirectory' in step) return step.movedDirectory;
  if ('renamed' in step) return step.renamed.path;
  return 'path' in step.access ? step.access.path : undefined;
}

function stepsOf(operation: Operation, actor: Actor, files: Files): Step[] {
  const from = actor.source === undefined ? {} : { source: actor.source };
  switch (operation.do) {
    case 'exec':
      return executed(files.resolve(operation.path), files).map((path) => ({
        access: { kind: 'process', path, owner: files.ownerOf(path) === actor.uid, ...from },
      }));
    case 'open':
    case 'chmod':
    case 'chown':
    case 'truncate':
    case 'create':
    case 'unlink':
    case 'symlink':
    case 'mkdir':
    case 'rmdir':
    case 'rename':
    case 'link':
      return changed(operation, files).map((step) => fileStep(step, actor, files));
    case 'socket':
    case 'connect':
    case 'accept': {
      const { family, type, protocol } = operation;
      return [{ access: { kind: 'network', protocols: socketProtocols(family, type, protocol), ...from } }];
    }
    case 'capability':
      return [{ access: { kind: 'capability', capability: operation.capability, ...from } }];
  }
}

/** What is executed for a path: a script, and then the interpreter that it names. */
function executed(path: string, files: Files): string[] {
  const interpreter = files.interpreterOf(path);
  return interpreter === undefined ? [path] : [path, interpreter];
}

interface Touched {
  readonly path: string;
  readonly write: boolean;
  /** Undefined: who makes it, owns it. */
  readonly owner: number | undefined;
}

/** `renamed`: the path of what gets another name. */
type Change = Touched | { readonly movedDirectory: string } | { readonly renamed: string };

type FileOperation = Extract<Operation, { do: 'open' | PathChange | 'rename' | 'link' }>;

function changed(operation: FileOperation, files: Files): Change[] {
  const touched = (path: string, write = true, made?: number): Touched => ({
    path,
    write,
    owner: files.ownerOf(path) ?? made,
  });
  switch (operation.do) {
    case 'open':
      return [touched(files.resolve(operation.path), isWrite(operation.flags))];
    case 'chmod':
    case 'chown':
    case 'truncate':
      return [touched(files.resolve(operation.path))];
    case 'rename':
    case 'link': {
      const owner = files.ownerOf(operation.from);
      const named = [{ renamed: operation.from }, touched(operation.to, true, owner)];
      if (operation.do === 'link') return [touched(operation.from), ...named];
      const replaced = files.isDirectory(operation.to) ? [{ movedDirectory: operation.to }] : [];
      return [touched(operation.from), { movedDirectory: operation.from }, ...named, ...replaced];
    }
    default:
      return [touched(operation.path)];
  }
}

function isWrite(flags: string): boolean {
  const [mode = '', ...further] = flags.split('+');
  return mode.includes('w') || further.includes('trunc');
}

function fileStep(step: Change, { uid, source }: Actor, files: Files): Step {
  if ('movedDirectory' in step) return step;
  const owns = (owner: number | undefined): boolean => owner === undefined || owner === uid;
  if ('renamed' in step) {
    const path = step.renamed;
    return { renamed: { path, owner: owns(files.ownerOf(path)), directory: files.isDirectory(path) } };
  }
  const { path, write, owner } = step;
  const from = source === undefined ? {} : { source };
  return { access: { kind: 'file', path, write, owner: owns(owner), ...from } };
}
