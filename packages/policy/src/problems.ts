// One error says everything that is wrong with the policies, so that whoever wrote them fixes them in one go.

export interface PolicyProblem {
  readonly file: string;
  /** Documents of a file are counted from 1; undefined: the file as a whole. */
  readonly document?: number;
  /** `namespace/name`, where the document says so. */
  readonly policy?: string;
  readonly line?: number;
  /** Such as `spec.file.matchPaths[0].path`; empty: the document as a whole. */
  readonly path: string;
  readonly message: string;
}

/** More than anybody reads; all of them are in `problems`. */
const MAX_SHOWN = 200;

/** Policies that cannot be used as they stand. The message names every problem with its place and what is accepted. */
export class PolicyError extends Error {
  readonly code = 'POLICY_INVALID';
  readonly retryable = false;
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    const shown = problems.slice(0, MAX_SHOWN).map((problem) => `  - ${renderProblem(problem)}`);
    const further = problems.length > MAX_SHOWN ? [`  and ${problems.length - MAX_SHOWN} more`] : [];
    super(['wrong policies:', ...shown, ...further].join('\n'));
    this.name = 'PolicyError';
    this.problems = problems;
  }
}

/** `policies.yaml:12: document 2 (shop/no-shell): spec.process.matchPaths[0].path: ...` */
export function renderProblem(problem: PolicyProblem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}`;
  const policy = problem.policy === undefined ? '' : ` (${problem.policy})`;
  const document = problem.document === undefined ? '' : `document ${problem.document}${policy}: `;
  return `${place}: ${document}${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`;
}

/** `['spec', 'rules', 0]` as `spec.rules[0]`; what is no plain word is quoted. */
export function renderPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => {
      if (typeof part === 'number') return `[${part}]`;
      const name = String(part);
      if (!/^[A-Za-z_][\w-]*$/.test(name)) return `[${JSON.stringify(name)}]`;
      return i === 0 ? name : `.${name}`;
    })
    .join('');
}
