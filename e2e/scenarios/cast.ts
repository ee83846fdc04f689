// Who is in the guest, and what is forbidden to whom: the scenario acts it out, and the test on the host, which sees only
// what arrives in Kafka, has to know it too.
import { GUARDED } from '../../packages/kernel/scenarios/enforcement/operations.ts';

export const NODE_ID = 'guest-node';
export const CLUSTER = 'emulated';
export const HOST_NAME = 'guest';

/** Small enough that every flood crosses them, and long enough that a flood is over before its interval is. */
export const LIMITS = { alertThrottling: true, maxAlertPerSec: 5, throttleSec: 20 };
/** While single operations are looked at one by one, none may be dropped. */
export const OPEN_LIMITS = { ...LIMITS, maxAlertPerSec: 100_000 };

/** Of each of the two that flood, in two processes. */
export const FLOOD = 400;

/** Containers share the network of the guest: ten for each. */
export const FIRST_PORT = 21_000;

export const SECRET = '/etc/secret';
export const WATCHED = '/etc/watched';

const id = (digit: string): string => digit.repeat(64);

export const ID = {
  blocked: id('1'),
  audited: id('2'),
  quiet: id('3'),
  operationsBlocked: id('4'),
  operationsAudited: id('5'),
  operationsOfAuditedPod: id('6'),
} as const;
export type Role = keyof typeof ID;

export const OPERATION_ROLES = [
  'operationsBlocked',
  'operationsAudited',
  'operationsOfAuditedPod',
] as const satisfies readonly Role[];
export type OperationRole = (typeof OPERATION_ROLES)[number];

interface Pod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export const PODS: Readonly<Record<Role, Pod>> = {
  blocked: { namespace: 'shop', labels: { app: 'web', tier: 'front' } },
  audited: { namespace: 'shop', labels: { app: 'db', watched: 'yes' } },
  quiet: { namespace: 'shop', labels: { app: 'web', watched: 'yes' } },
  operationsBlocked: { namespace: 'lab', labels: { mode: 'block' } },
  operationsAudited: { namespace: 'lab', labels: { mode: 'audit' } },
  operationsOfAuditedPod: {
    namespace: 'lab',
    labels: { mode: 'block', pod: 'audited' },
    annotations: { 'kubearmor-policy': 'audited' },
  },
};

export const imageOf = (role: Role): string => `registry.example/${role.toLowerCase()}:1`;

/** As JSON, which YAML contains. */
export function labelsFile(): string {
  const containers = Object.entries(ID).map(([name, one]) => {
    const role = name as Role;
    const { namespace, labels, annotations = {} } = PODS[role];
    return {
      match: { id: one },
      ...{ name: role, pod: `${role}-0`, namespace, labels, annotations, image: imageOf(role) },
      owner: { ref: 'StatefulSet', name: role },
    };
  });
  return JSON.stringify({ containers });
}

function policy(name: string, namespace: string, matchLabels: object, spec: object): string {
  return JSON.stringify({
    apiVersion: 'security.kubearmor.com/v1',
    kind: 'KubeArmorPolicy',
    metadata: { name, namespace },
    spec: { selector: { matchLabels }, ...spec },
  });
}

export const TEXTS = { severity: 7, tags: ['NIST', 'PCI'], message: 'hands off' } as const;

/** The same rules once refused and once watched. */
const guarded = (action: 'Block' | 'Audit'): object => ({ ...TEXTS, action, ...GUARDED });

export const POLICIES: Readonly<Record<string, string>> = {
  'guard-secrets': policy(
    'guard-secrets',
    'shop',
    { app: 'web' },
    { ...TEXTS, action: 'Block', file: { matchPaths: [{ path: SECRET }] } },
  ),
  'watch-files': policy(
    'watch-files',
    'shop',
    { watched: 'yes' },
    { ...TEXTS, severity: 3, action: 'Audit', file: { matchPaths: [{ path: WATCHED }] } },
  ),
  'block-all': policy('block-all', 'lab', { mode: 'block' }, guarded('Block')),
  'audit-all': policy('audit-all', 'lab', { mode: 'audit' }, guarded('Audit')),
};
