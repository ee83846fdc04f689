// What KubeArmor knows and we do not, by name, each with what to do instead. A policy that uses it is refused: to leave
// out a part of it silently would leave open what its author believes closed.

const PATTERNS =
  'patterns are not supported, because the programs compare whole names; use matchPaths, matchDirectories or execname';

/** Fields of a KubeArmorPolicy, wherever they stand. */
export const UNSUPPORTED_FIELDS: ReadonlyMap<string, string> = new Map([
  ['matchPatterns', PATTERNS],
  ['syscalls', 'rules on system calls are not supported; use process, file, network or capabilities'],
  ['matchSyscalls', 'rules on system calls are not supported; use process, file, network or capabilities'],
  ['presets', 'presets are not supported; write the rules that you need'],
  [
    'apparmor',
    'native AppArmor text is not supported: it means nothing to the BPF programs; write it as rules',
  ],
  ['selinux', 'SELinux rules are not supported; use file'],
  ['matchVolumeMounts', 'SELinux rules are not supported; use file'],
  ['matchDNSQueries', 'rules on DNS queries are not supported; use matchProtocols'],
  ['matchDNSQuery', 'rules on DNS queries are not supported; use matchProtocols'],
  ['device', 'rules on USB devices are for hosts, and hosts have no policies here'],
  ['pts', 'rules on terminals are not supported; use fromSource'],
  [
    'allowedArgs',
    'rules on arguments are not supported: a program reads them after they were checked; use path alone',
  ],
  ['nodeSelector', 'policies for hosts are not supported; use selector'],
  ['status', 'a policy cannot be set inactive in its text; remove it instead'],
]);

/** The one kind that is supported, and its version. */
export const POLICY_KIND = 'KubeArmorPolicy';
export const POLICY_API_VERSION = 'security.kubearmor.com/v1';

const UNSUPPORTED_KINDS: ReadonlyMap<string, string> = new Map([
  ['KubeArmorHostPolicy', 'policies for hosts are not supported: only containers are watched'],
  [
    'KubeArmorClusterPolicy',
    'policies for the whole cluster are not supported; write one KubeArmorPolicy for each namespace',
  ],
  [
    'KubeArmorNetworkPolicy',
    'network policies are not supported; use spec.network.matchProtocols of a KubeArmorPolicy',
  ],
  ['NetworkPolicy', 'network policies are the business of the network plugin'],
  ['CiliumNetworkPolicy', 'network policies are the business of the network plugin'],
  ['CiliumClusterwideNetworkPolicy', 'network policies are the business of the network plugin'],
  ['List', 'lists are not supported; write each policy as a document of its own, with --- between them'],
  [
    'KubeArmorPolicyList',
    'lists are not supported; write each policy as a document of its own, with --- between them',
  ],
]);

/** Why documents of this kind are refused; undefined for the kind that is supported. */
export function kindProblem(kind: string): string | undefined {
  if (kind === POLICY_KIND) return undefined;
  return `${UNSUPPORTED_KINDS.get(kind) ?? 'unknown kind'}; accepted: ${POLICY_KIND}`;
}
