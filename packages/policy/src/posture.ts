// What the settings and the annotations of namespace and pod make of a container: whether its policies are enforced, only
// audited or not used at all, and what happens to what an allow-list does not list.
import type { CompileOptions } from './compile.ts';
import { quote } from './paths.ts';

export type Treatment = 'enabled' | 'audited' | 'disabled';

export interface PostureSettings {
  /** For process and file rules. */
  readonly defaultFilePosture: 'audit' | 'block';
  readonly defaultNetworkPosture: 'audit' | 'block';
  readonly defaultCapabilitiesPosture: 'audit' | 'block';
  /** Namespaces whose containers get no policies. */
  readonly untrackedNamespaces: readonly string[];
  /** Namespaces in which nothing is refused. */
  readonly auditedNamespaces: readonly string[];
}

/** KubeArmor's own. */
export const DEFAULT_POSTURE_SETTINGS: PostureSettings = {
  defaultFilePosture: 'audit',
  defaultNetworkPosture: 'audit',
  defaultCapabilitiesPosture: 'audit',
  untrackedNamespaces: ['kube-system', 'kubearmor'],
  auditedNamespaces: ['kube-system'],
};

export interface Annotated {
  readonly namespace: string;
  readonly namespaceAnnotations?: Readonly<Record<string, string>>;
  readonly podAnnotations?: Readonly<Record<string, string>>;
}

export interface ContainerTreatment {
  readonly treatment: Treatment;
  /** For `compileRuleSet`. */
  readonly options: CompileOptions;
  /** Annotations that mean nothing, each with what is accepted. What they were to change, stays as the settings say. */
  readonly problems: readonly string[];
}

export const TREATMENT_ANNOTATION = 'kubearmor-policy';
const FILE_ANNOTATION = 'kubearmor-file-posture';
const NETWORK_ANNOTATION = 'kubearmor-network-posture';
const CAPABILITIES_ANNOTATION = 'kubearmor-capabilities-posture';

export function treatmentOf(container: Annotated, settings: PostureSettings): ContainerTreatment {
  const problems: string[] = [];
  const read = <T extends string>(
    annotations: Annotated['podAnnotations'],
    name: string,
    accepted: readonly T[],
    otherwise: T,
  ): T => {
    const value = annotations && Object.hasOwn(annotations, name) ? annotations[name] : undefined;
    if (value === undefined) return otherwise;
    const found = accepted.find((word) => word === value.toLowerCase());
    if (found === undefined)
      problems.push(`${name}: found ${quote(value)}; accepted: ${accepted.join(', ')}`);
    return found ?? otherwise;
  };
  const posture = (name: string, otherwise: 'audit' | 'block'): 'audit' | 'block' =>
    read(container.namespaceAnnotations, name, ['audit', 'block'], otherwise);

  const wished = read(container.podAnnotations, TREATMENT_ANNOTATION, TREATMENTS, 'enabled');
  const treatment = treatmentIn(container.namespace, wished, settings);
  const file = posture(FILE_ANNOTATION, settings.defaultFilePosture);
  const network = posture(NETWORK_ANNOTATION, settings.defaultNetworkPosture);
  const capability = posture(CAPABILITIES_ANNOTATION, settings.defaultCapabilitiesPosture);
  const postures = { process: file, file, network, capability };
  return { treatment, options: { postures, audited: treatment === 'audited' }, problems };
}

const TREATMENTS = ['enabled', 'audited', 'disabled'] as const;

function treatmentIn(namespace: string, wished: Treatment, settings: PostureSettings): Treatment {
  if (settings.untrackedNamespaces.includes(namespace)) return 'disabled';
  return wished === 'enabled' && settings.auditedNamespaces.includes(namespace) ? 'audited' : wished;
}
