// A rule set as an AppArmor profile. What it denies is exactly what the rules block, or there is no profile
// (expressible.ts); what is audited, and what alerts are called, is the business of the programs that watch it.
import { components, type CompiledRule, type RuleSet } from '@alert-throttle/policy';
import { inexpressible, type Inexpressible } from './expressible.ts';
import { literal } from './quote.ts';
import { networkWords, socketRules } from './sockets.ts';

export interface ProfileOptions {
  readonly name: string;
  /** May mount, and give other names to files. Default: it may not, where rules refuse anything by its path. */
  readonly privileged?: boolean;
}

/** A rule set that no profile can say. */
export class InexpressibleError extends Error {
  readonly code = 'INEXPRESSIBLE';
  readonly retryable = false;
  readonly problems: readonly Inexpressible[];

  constructor(problems: readonly Inexpressible[]) {
    super(
      `AppArmor cannot enforce this: ${problems.map(({ policies, reason }) => `${policies.join(' and ')}: ${reason}`).join('; ')}`,
    );
    this.name = 'InexpressibleError';
    this.problems = problems;
  }
}

/**
 * Deleted files keep being mediated, and what lies outside the container's mounts is looked at as if it lay at its root:
 * otherwise either would be refused although no rule says so. No rule lets a task change its profile.
 */
const FLAGS = 'flags=(attach_disconnected,mediate_deleted)';

/** What policies say nothing about. */
const ALWAYS = ['umount,'];

/** Lets everything happen; for containers without policies, which may get some. */
export function allowingProfile(name: string): string {
  return profileText(name, ['file,', 'network,', 'capability,', 'mount,', 'pivot_root,']);
}

/** Throws InexpressibleError. */
export function profileOf(ruleSet: RuleSet, { name, privileged = false }: ProfileOptions): string {
  if (ruleSet.audited) return allowingProfile(name);
  const problems = inexpressible(ruleSet);
  if (problems.length > 0) throw new InexpressibleError(problems);
  const mayMount = privileged || !refusesPaths(ruleSet);
  return profileText(name, [
    ...pathLines(ruleSet),
    ...networkLines(ruleSet),
    ...capabilityLines(ruleSet),
    ...['mount', 'pivot_root'].map((word) => `${mayMount ? '' : 'deny '}${word},`),
  ]);
}

function profileText(name: string, lines: readonly string[]): string {
  const body = [...ALWAYS, ...lines].map((line) => `  ${line}\n`).join('');
  return `profile "${literal(name)}" ${FLAGS} {\n${body}}\n`;
}

/** The same as the programs ask before a mount. */
function refusesPaths({ rules, posture }: RuleSet): boolean {
  return (
    posture.file === 'block' ||
    posture.process === 'block' ||
    rules.some(({ kind, action }) => action === 'Block' && (kind === 'file' || kind === 'process'))
  );
}

function pathLines({ rules, posture }: RuleSet): string[] {
  const isPathRule = ({ kind }: CompiledRule): boolean => kind === 'file' || kind === 'process';
  const lists = rules.filter(
    (rule) => isPathRule(rule) && rule.action === 'Allow' && posture[rule.kind] === 'block',
  );
  const denials = rules.filter((rule) => isPathRule(rule) && rule.action === 'Block');
  // Mapping and locking need an open file, which is where rules are asked.
  const base = `${posture.file === 'block' ? '' : 'rwl'}mk${posture.process === 'block' ? '' : 'ix'}`;
  return [`/{,**} ${base},`, ...lists.flatMap(allowLines), ...denials.flatMap(denyLines)];
}

function allowLines(rule: CompiledRule): string[] {
  const who = rule.ownerOnly ? 'owner ' : '';
  const what = rule.kind === 'process' ? 'ix' : rule.readOnly ? 'r' : 'rwl';
  return [`${who}${pattern(rule)} ${what},`];
}

/** Mapping a program as code runs it too, by the loader's hand. */
function denyLines(rule: CompiledRule): string[] {
  const who = rule.ownerOnly ? 'other ' : '';
  if (rule.kind === 'process') return [`deny ${who}${pattern(rule)} mx,`];
  if (!rule.readOnly) return [`deny ${who}${pattern(rule)} rwlk,`];
  const writing = `deny ${pattern(rule)} wl,`;
  return rule.ownerOnly ? [writing, `deny other ${pattern(rule)} rk,`] : [writing];
}

/** A profile sees directories with a slash at the end; rules are about the path, whatever lies there. */
function pattern({ match, path }: CompiledRule): string {
  if (match === 'execname') return `"/{,**/}${literal(path)}"`;
  const file = components(path)
    .map((name) => `/${literal(name)}`)
    .join('');
  if (match === 'exact') return `"${file}{,/}"`;
  if (match === 'dirRecursive') return file === '' ? '"/{,**}"' : `"${file}{,/{,**}}"`;
  return file === '' ? '"/{,*{,/}}"' : `"${file}{,/{,*{,/}}}"`;
}

function networkLines(ruleSet: RuleSet): string[] {
  const allowed = ruleSet.posture.network === 'block' ? networkWords(socketRules(ruleSet, 'Allow')) : [''];
  const denied = networkWords(socketRules(ruleSet, 'Block'));
  return [...allowed.map((words) => `network${words},`), ...denied.map((words) => `deny network${words},`)];
}

function capabilityLines({ rules, posture }: RuleSet): string[] {
  const named = (action: CompiledRule['action']) =>
    rules.filter((rule) => rule.kind === 'capability' && rule.action === action).map(({ path }) => path);
  const allowed = posture.capability === 'block' ? named('Allow').map((name) => ` ${name}`) : [''];
  return [
    ...allowed.map((name) => `capability${name},`),
    ...named('Block').map((name) => `deny capability ${name},`),
  ];
}
