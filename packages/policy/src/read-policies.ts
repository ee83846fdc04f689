// Policies from files of YAML. Every problem of every file is found before anything is said.
import { expandRules } from './expand.ts';
import { PolicyError, renderPath, type PolicyProblem } from './problems.ts';
import { quote } from './paths.ts';
import { describeIssue, type Place } from './issues.ts';
import { policySchema, type PolicyDocument } from './schema.ts';
import { selectorOf } from './selector.ts';
import type { Policy, PolicyRule } from './types.ts';
import { kindProblem } from './unsupported.ts';
import { readYaml, type YamlDocument } from './yaml-documents.ts';

export const MAX_RULES_OF_A_POLICY = 4096;
export const MAX_POLICIES = 10_000;
const DEFAULT_NAMESPACE = 'default';

export interface PolicySource {
  /** For messages. */
  readonly file: string;
  readonly text: string;
}

export interface ReadResult {
  /** Those without problems. */
  readonly policies: readonly Policy[];
  readonly problems: readonly PolicyProblem[];
  /** What is accepted, but probably not what its author meant. */
  readonly warnings: readonly PolicyProblem[];
}

/** All policies of all files, as far as they can be used, and what is wrong with the others. */
export function readPolicies(sources: readonly PolicySource[]): ReadResult {
  const result = {
    policies: new Map<string, Policy>(),
    problems: [] as PolicyProblem[],
    warnings: [] as PolicyProblem[],
  };
  for (const source of sources) readFile(source, result);
  if (result.policies.size > MAX_POLICIES) {
    const message = `has policy ${MAX_POLICIES + 1} and more, which are too many`;
    result.problems.push({ file: sources.at(-1)?.file ?? '', path: '', message });
  }
  return { ...result, policies: [...result.policies.values()].slice(0, MAX_POLICIES) };
}

/** The same where one wrong policy is as bad as none: throws a PolicyError with all problems. */
export function parsePolicies(sources: readonly PolicySource[]): readonly Policy[] {
  const { policies, problems } = readPolicies(sources);
  if (problems.length > 0) throw new PolicyError(problems);
  return policies;
}

interface Reading {
  readonly policies: Map<string, Policy>;
  readonly problems: PolicyProblem[];
  readonly warnings: PolicyProblem[];
}

function readFile({ file, text }: PolicySource, result: Reading): void {
  const { documents, problems } = readYaml(text);
  result.problems.push(...problems.map((problem) => ({ ...problem, file, path: '' })));
  if (documents.length === 0 && problems.length === 0) {
    result.warnings.push({ file, path: '', message: 'has no policy in it' });
  }
  for (const document of documents) readDocument(file, document, result);
}

function readDocument(file: string, document: YamlDocument, result: Reading): void {
  const policyName = nameOf(document.data);
  const report = ({ path, message }: Place): PolicyProblem => {
    const line = document.lineOf(path);
    return {
      file,
      document: document.number,
      ...(policyName === undefined ? {} : { policy: policyName }),
      ...(line === undefined ? {} : { line }),
      path: renderPath(path),
      message,
    };
  };
  const problems: Place[] = [];
  const warnings: Place[] = [];
  const policy = readPolicy(document.data, problems, warnings);
  const name = policy && `${policy.namespace}/${policy.name}`;
  if (name !== undefined && result.policies.has(name)) {
    problems.push({ path: ['metadata', 'name'], message: `there is another policy ${name}` });
  }
  result.problems.push(...problems.map(report));
  result.warnings.push(...warnings.map(report));
  if (policy && name !== undefined && problems.length === 0) result.policies.set(name, policy);
}

function readPolicy(data: unknown, problems: Place[], warnings: Place[]): Policy | undefined {
  const kind = field(data, 'kind');
  const wrongKind = typeof kind === 'string' ? kindProblem(kind) : undefined;
  if (wrongKind !== undefined) {
    problems.push({ path: ['kind'], message: `${quote(String(kind))}: ${wrongKind}` });
    return undefined;
  }
  const parsed = policySchema.safeParse(data, { reportInput: true });
  if (!parsed.success) {
    problems.push(...parsed.error.issues.flatMap(describeIssue));
    return undefined;
  }
  return policyOf(parsed.data, problems, warnings);
}

function policyOf({ metadata, spec }: PolicyDocument, problems: Place[], warnings: Place[]): Policy {
  const rules = expandRules(spec);
  if (rules.length > MAX_RULES_OF_A_POLICY) {
    problems.push({
      path: ['spec'],
      message: `has ${rules.length} rules, more than ${MAX_RULES_OF_A_POLICY}`,
    });
  }
  if (rules.length === 0) warnings.push({ path: ['spec'], message: 'has no rule in it' });
  const patterns = rules.find(looksLikePattern);
  if (patterns) {
    const message = `${quote(patterns.path)} is compared as it stands: *, ?, [ and { mean nothing in it`;
    warnings.push({ path: ['spec', patterns.kind], message });
  }
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? DEFAULT_NAMESPACE,
    selector: selectorOf(spec.selector ?? {}),
    rules,
  };
}

function looksLikePattern(rule: PolicyRule): boolean {
  return /[*?[{]/.test(rule.path);
}

function field(data: unknown, name: string): unknown {
  return typeof data === 'object' && data !== null && Object.hasOwn(data, name)
    ? (data as Record<string, unknown>)[name]
    : undefined;
}

/** For messages, so without any check but that it is a text. */
function nameOf(data: unknown): string | undefined {
  const metadata = field(data, 'metadata');
  const name = field(metadata, 'name');
  const namespace = field(metadata, 'namespace');
  if (typeof name !== 'string') return undefined;
  return quote(`${typeof namespace === 'string' ? namespace : DEFAULT_NAMESPACE}/${name}`).slice(1, -1);
}
