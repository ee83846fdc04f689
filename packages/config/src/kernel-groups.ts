// The settings of the kernel source: which policies apply, what is done where none says anything, how much room the
// programs have. They are shared because `alertctl kernel` looks at the same programs.
import { defineSettings } from './settings.ts';
import { integer, oneOf, text } from './types.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const posture = oneOf('audit', 'block');

export const kernelSettings = defineSettings({
  policyDir: {
    type: text('a path'),
    description: 'For kernel: folder with KubeArmorPolicy files (*.yaml, *.yml); followed while it runs.',
  },
  labelsFile: {
    type: text('a path'),
    description:
      'For kernel: YAML file that says which pod, namespace, labels and owner a container has; followed while it ' +
      'runs. Not set: containers have no labels, and only policies that select everything apply.',
  },
  clusterName: {
    type: text(),
    default: 'default',
    description: 'ClusterName in alerts of the kernel source.',
  },
  defaultFilePosture: {
    type: posture,
    default: 'audit',
    live: true,
    description:
      'What is done to files and processes that no rule matches, where a policy has an Allow rule for them: audit or block.',
  },
  defaultNetworkPosture: {
    type: posture,
    default: 'audit',
    live: true,
    description: 'The same for sockets: audit or block.',
  },
  defaultCapabilitiesPosture: {
    type: posture,
    default: 'audit',
    live: true,
    description: 'The same for capabilities: audit or block.',
  },
  enforcer: {
    type: oneOf('auto', 'bpflsm', 'apparmor'),
    default: 'auto',
    description:
      'What enforces policies: bpflsm, apparmor, or auto: BPF-LSM where bpf is among the security modules, else AppArmor.',
  },
  failMode: {
    type: oneOf('open', 'closed'),
    default: 'open',
    description:
      'What the programs do with an access that they cannot judge: open (let it pass, count it) or closed (refuse it).',
  },
  enforcerGate: {
    type: oneOf('on', 'off'),
    default: 'off',
    description:
      'New containers are frozen from when their root is there until their rules are in force for where they lead ' +
      'in it, 10 s at most: on or off.',
  },
  containerKey: {
    type: oneOf('cgroup'),
    default: 'cgroup',
    description:
      'What tells containers apart: cgroup (version 2). Namespaces are not supported, as any process can leave its own.',
  },
  pinDir: {
    type: text('a path'),
    default: '/sys/fs/bpf/alert-throttle',
    description: 'Folder on a bpf file system that keeps programs and maps while the producer is away.',
  },
  maxContainers: {
    type: integer(1, 65_536),
    default: 4_096,
    description: 'Containers that can be known to the kernel at once.',
  },
  maxContainerCgroups: {
    type: integer(1, MIB),
    default: 16_384,
    description: 'Cgroups of containers and below them.',
  },
  maxRuleSets: {
    type: integer(1, 65_536),
    default: 1_024,
    description: 'Different sets of rules; containers with equal rules share one.',
  },
  maxRules: {
    type: integer(1, MIB),
    default: 65_536,
    description: 'Rules in all of these sets together.',
  },
  maxRuleNames: {
    type: integer(1, MIB),
    default: 65_536,
    description: 'Components of all paths that rules name.',
  },
  maxWindows: {
    type: integer(1, MIB),
    default: 8_192,
    description:
      'Containers with Block alerts whose windows the kernel keeps; further ones share one window.',
  },
  enforcementRingBytes: {
    type: ringBytes(),
    default: 4 * MIB,
    unit: 'bytes',
    description:
      'Room for Block alerts and threshold events until the producer has read them; a power of two.',
  },
  auditRingBytes: {
    type: ringBytes(),
    default: 8 * MIB,
    unit: 'bytes',
    description: 'The same for audit alerts.',
  },
});

/** As the kernel wants a ring: a power of two, at least a page. */
function ringBytes() {
  const isPowerOfTwo = (bytes: number): boolean => (Math.log2(bytes) | 0) === Math.log2(bytes);
  const whole = integer(64 * KIB, 1024 * MIB);
  return whole
    .refine(isPowerOfTwo)
    .describe(`a power of two from ${64 * KIB} (64 KiB) to ${1024 * MIB} (1 GiB)`);
}
