// Which policies apply to a container.
import { quote } from './paths.ts';
import type { Place } from './issues.ts';
import type { Policy, Selector } from './types.ts';

/** What is known of a container when its policies are chosen. */
export interface ContainerIdentity {
  readonly namespace: string;
  /** Labels of the pod. */
  readonly labels: Readonly<Record<string, string>>;
  readonly containerName: string;
}

/** Narrows a policy to containers of the pod; all other labels are the pod's. */
export const CONTAINER_NAME_LABEL = 'kubearmor.io/container.name';

/** Every condition has to hold: the namespace, each label, the expressions, the names of containers. */
export function appliesTo(policy: Policy, container: ContainerIdentity): boolean {
  const { labels, anyOf, noneOf, containers } = policy.selector;
  if (policy.namespace !== container.namespace) return false;
  if (containers.length > 0 && !containers.includes(container.containerName)) return false;
  const has = (label: string): boolean => {
    const separator = label.indexOf('=');
    return labelOf(container, label.slice(0, separator)) === label.slice(separator + 1);
  };
  return (
    [...labels].every(([name, value]) => labelOf(container, name) === value) &&
    (anyOf.length === 0 || anyOf.some(has)) &&
    !noneOf.some(has)
  );
}

/** The policies that apply, in the order given. */
export function policiesFor(policies: readonly Policy[], container: ContainerIdentity): Policy[] {
  return policies.filter((policy) => appliesTo(policy, container));
}

function labelOf(container: ContainerIdentity, name: string): string | undefined {
  return Object.hasOwn(container.labels, name) ? container.labels[name] : undefined;
}

/** A selector as it is written. */
export interface WrittenSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    readonly { readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }[] | undefined;
}

export function selectorOf(written: WrittenSelector): Selector {
  const labels = new Map(Object.entries(written.matchLabels ?? {}));
  const narrowed = labels.get(CONTAINER_NAME_LABEL);
  labels.delete(CONTAINER_NAME_LABEL);
  return {
    labels,
    anyOf: valuesOf(written, 'In'),
    noneOf: valuesOf(written, 'NotIn'),
    containers: narrowed === undefined ? [] : containerNames(narrowed),
  };
}

function valuesOf({ matchExpressions = [] }: WrittenSelector, operator: 'In' | 'NotIn'): string[] {
  return matchExpressions
    .filter((expression) => expression.operator === operator)
    .flatMap(({ values }) => values);
}

/** What is wrong with a selector beyond its shape, with paths below it. */
export function selectorProblems(written: WrittenSelector): Place[] {
  const problems: Place[] = [];
  const { matchLabels = {}, matchExpressions = [] } = written;
  for (const [label, value] of Object.entries(matchLabels)) {
    const path = ['matchLabels', label];
    if (label === CONTAINER_NAME_LABEL) problems.push(...nameProblems(value, path));
    else problems.push(...labelProblems(label, path));
  }
  for (const [i, { values }] of matchExpressions.entries()) {
    for (const [j, value] of values.entries()) {
      const path = ['matchExpressions', i, 'values', j];
      problems.push(...labelProblems(value.slice(0, value.indexOf('=')), path));
    }
  }
  if (valuesOf(written, 'In').length > 0 && valuesOf(written, 'NotIn').length > 0) {
    problems.push({ path: ['matchExpressions'], message: MIXED });
  }
  return problems;
}

const MIXED =
  'has In and NotIn: KubeArmor leaves out In then, and the policy applies to more pods than it says; accepted: ' +
  'one of the two (labels that a pod has to have can stand in matchLabels)';

/** Labels that KubeArmor invents. Pods do not have them, so a condition on them would never hold, or always. */
const INVENTED: ReadonlyMap<string, string> = new Map([
  ['namespaceName', 'is no label of pods; use metadata.namespace'],
  ['containerType', 'is no label of pods, and the runtime makes no difference here'],
  ['kubearmor.io/hostname', 'is for hosts, and hosts have no policies here'],
]);

function labelProblems(label: string, path: readonly PropertyKey[]): Place[] {
  const reason = label === CONTAINER_NAME_LABEL ? 'can stand in matchLabels only' : INVENTED.get(label);
  return reason === undefined ? [] : [{ path, message: `${quote(label)} ${reason}` }];
}

/** `[a, b]`, or one name alone. */
function containerNames(value: string): string[] {
  const inner = value.startsWith('[') && value.endsWith(']') ? value.slice(1, -1) : value;
  return inner.split(',').map((name) => name.trim());
}

function nameProblems(value: string, path: readonly PropertyKey[]): Place[] {
  const wrong = containerNames(value).find(
    (name) => !/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(name),
  );
  if (wrong === undefined) return [];
  const message = `${quote(wrong)} is no name of a container, and patterns are not supported; accepted: "[first, second]" or "name"`;
  return [{ path, message }];
}
