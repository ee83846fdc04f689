// What the kernel side's cost is asked for: rule sets of several sizes and shapes, and the system calls under them.
import { compileRuleSet, parsePolicies, type RuleSet } from '@alert-throttle/policy';

const SHALLOW = '/etc';
const DEEP = '/a/b/c/d/e/f/g/h/i/j/k';

/** By the number of components: files that no rule is about, files that are named, files far below a directory that is. */
export const FILES = {
  allowed: { 2: `${SHALLOW}/allowed`, 12: `${DEEP}/allowed` },
  exact: { 2: `${SHALLOW}/secret`, 12: `${DEEP}/secret` },
  directory: { 2: '/locked/secret', 12: '/under/top/c/d/e/f/g/h/i/j/k/secret' },
} as const;

const DIRECTORIES = ['/locked/', '/under/top/'];

/** `exact`: Block rules on files; `directory`: recursive ones on directories. */
export type Shape = 'exact' | 'directory';

export const ALL_FILES: readonly string[] = Object.values(FILES).flatMap((files) => Object.values(files));

/** As many files, or recursive directories, under Block; half of them at either depth, the last ones those above. */
export function ruleSetOf(shape: Shape, rules: number): RuleSet {
  const own = shape === 'exact' ? [FILES.exact[12], FILES.exact[2]] : DIRECTORIES;
  const others = Array.from({ length: Math.max(0, rules - own.length) }, (_, index) => {
    const path = `${index % 2 === 0 ? SHALLOW : DEEP}/rule-${index}`;
    return shape === 'exact' ? path : `${path}/`;
  });
  const paths = [...others, ...own].slice(-rules);
  const file =
    shape === 'exact'
      ? { matchPaths: paths.map((path) => ({ path })) }
      : { matchDirectories: paths.map((dir) => ({ dir, recursive: true })) };
  const process = { matchPaths: [{ path: '/usr/bin/forbidden' }] };
  return compileRuleSet(
    parsePolicies([
      {
        file: 'bench.yaml',
        text: JSON.stringify({
          apiVersion: 'security.kubearmor.com/v1',
          kind: 'KubeArmorPolicy',
          metadata: { name: 'bench', namespace: 'bench' },
          spec: { selector: { matchLabels: { app: 'bench' } }, file, process, action: 'Block' },
        }),
      },
    ]),
    {
      postures: { process: 'audit', file: 'audit', network: 'audit', capability: 'audit' },
      audited: false,
    },
  );
}
