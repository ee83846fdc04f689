// The rules of a policy one by one: lists with commas and several sources become rules of their own, and what a rule does
// not say about itself comes from its section, then from the policy.
import { commaList, type PolicySpec } from './schema.ts';
import { asDirectory } from './paths.ts';
import type { Action, Kind, Match, PolicyRule } from './types.ts';

const DEFAULT_ACTION: Action = 'Block';
const DEFAULT_SEVERITY = 1;

interface Meta {
  readonly severity?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly message?: string | undefined;
  readonly action?: Action | undefined;
}

interface Written extends Meta {
  readonly readOnly?: boolean | undefined;
  readonly ownerOnly?: boolean | undefined;
  readonly fromSource?: readonly { readonly path: string }[] | undefined;
}

interface Target {
  readonly match: Match;
  readonly path: string;
}

export function expandRules(spec: PolicySpec): PolicyRule[] {
  const { process, file, network, capabilities } = spec;
  const rules: PolicyRule[] = [];
  const add = (kind: Kind, target: Target, rule: Written, section: Meta): void => {
    rules.push(...rulesOf(kind, target, rule, [rule, section, spec]));
  };
  for (const rule of process?.matchPaths ?? []) add('process', executable(rule), rule, process ?? {});
  for (const rule of process?.matchDirectories ?? []) add('process', directory(rule), rule, process ?? {});
  for (const rule of file?.matchPaths ?? [])
    add('file', { match: 'exact', path: rule.path }, rule, file ?? {});
  for (const rule of file?.matchDirectories ?? []) add('file', directory(rule), rule, file ?? {});
  for (const rule of network?.matchProtocols ?? []) {
    for (const path of commaList(rule.protocol))
      add('network', { match: 'protocol', path }, rule, network ?? {});
  }
  for (const rule of capabilities?.matchCapabilities ?? []) {
    const section = capabilities ?? {};
    for (const path of commaList(rule.capability))
      add('capability', { match: 'capability', path }, rule, section);
  }
  return rules;
}

function executable(rule: { path?: string | undefined; execname?: string | undefined }): Target {
  return rule.path === undefined
    ? { match: 'execname', path: rule.execname ?? '' }
    : { match: 'exact', path: rule.path };
}

function directory(rule: { dir: string; recursive?: boolean | undefined }): Target {
  return { match: rule.recursive === true ? 'dirRecursive' : 'dir', path: asDirectory(rule.dir) };
}

/** `from`: the rule, its section, the policy, the first one wins. */
function rulesOf(kind: Kind, target: Target, rule: Written, from: readonly Meta[]): PolicyRule[] {
  const common: PolicyRule = {
    kind,
    ...target,
    action: first(from, ({ action }) => action) ?? DEFAULT_ACTION,
    readOnly: rule.readOnly ?? false,
    ownerOnly: rule.ownerOnly ?? false,
    severity: String(first(from, ({ severity }) => severity) ?? DEFAULT_SEVERITY),
    tags: first(from, ({ tags }) => (tags?.length === 0 ? undefined : tags)) ?? [],
    message: first(from, ({ message }) => (message === '' ? undefined : message)) ?? '',
  };
  if (!rule.fromSource) return [common];
  return rule.fromSource.map(({ path: source }) => ({ ...common, source }));
}

function first<T>(from: readonly Meta[], get: (meta: Meta) => T | undefined): T | undefined {
  for (const meta of from) {
    const value = get(meta);
    if (value !== undefined) return value;
  }
  return undefined;
}
