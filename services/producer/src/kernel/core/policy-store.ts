// The policies in force, from the files that are there now. A file is used whole or not at all: while it cannot be used,
// what it said last remains in force.
import {
  readPolicies,
  renderProblem,
  type Policy,
  type PolicyProblem,
  type PolicySource,
} from '@alert-throttle/policy';

export interface PolicyState {
  readonly policies: readonly Policy[];
  /** By name of the file: why it is not in force as it stands. */
  readonly refused: ReadonlyMap<string, readonly string[]>;
  readonly warnings: readonly string[];
  /** What is in force, by name of the file. */
  readonly texts: Readonly<Record<string, string>>;
}

/** `lastGood`: what was in force before, by name of the file. */
export function policiesOf(
  found: ReadonlyMap<string, string | Error>,
  lastGood: Readonly<Record<string, string>>,
): PolicyState {
  const refused = new Map<string, readonly string[]>();
  const texts = new Map<string, string>();
  for (const [name, text] of found) {
    if (typeof text === 'string') texts.set(name, text);
    else refuse(name, [`${name}: ${text.message}`]);
  }
  // Each round takes the present text from at least one file, or drops one.
  for (;;) {
    const { policies, problems, warnings } = readPolicies(sourcesOf(texts));
    if (problems.length === 0)
      return {
        policies,
        refused,
        warnings: warnings.map(renderProblem),
        texts: Object.fromEntries(texts),
      };
    for (const [name, reasons] of byFile(problems)) refuse(name, reasons);
  }

  function refuse(name: string, reasons: readonly string[]): void {
    const good = Object.hasOwn(lastGood, name) ? lastGood[name] : undefined;
    if (good !== undefined && texts.get(name) !== good) texts.set(name, good);
    else texts.delete(name);
    if (!refused.has(name)) refused.set(name, reasons);
  }
}

function sourcesOf(texts: ReadonlyMap<string, string>): PolicySource[] {
  return [...texts].map(([file, text]) => ({ file, text }));
}

function byFile(problems: readonly PolicyProblem[]): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const problem of problems)
    files.set(problem.file, [...(files.get(problem.file) ?? []), renderProblem(problem)]);
  return files;
}
