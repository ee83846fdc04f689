// schemas/policy-vectors.json, as whoever runs the vectors needs it: the matcher here, the programs of the kernel in a guest.
import { z } from 'zod';
import file from '../../../../schemas/policy-vectors.json' with { type: 'json' };
import { CAPABILITIES } from '../names.ts';
import type { Files, Operation } from '../operations.ts';
import { parsePolicies } from '../read-policies.ts';
import { KINDS, type Kind, type Policy } from '../types.ts';

const FAMILIES = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, smc: 43 } as const;
const TYPES = { stream: 1, dgram: 2, raw: 3, rdm: 4, seqpacket: 5, dccp: 6, packet: 10 } as const;
const TYPE_FLAGS: Readonly<Record<string, number>> = { nonblock: 0o4000, cloexec: 0o2000000 };
/** Those of linux/in.h; `all` is ETH_P_ALL in network order. */
const PROTOCOLS = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
  mptcp: 262,
  all: 0x300,
} as const;

const alert = z.strictObject({
  PolicyName: z.string(),
  Operation: z.string(),
  Action: z.enum(['Block', 'Audit', 'Audit (Block)']),
  Resource: z.string().optional(),
  Result: z.string(),
  Enforcer: z.enum(['lsm', 'eBPF Monitor']),
  Severity: z.string().optional(),
  Tags: z.array(z.string()).optional(),
  Message: z.string().optional(),
});

const expectation = z.strictObject({
  result: z.enum(['allow', 'audit', 'block']),
  errno: z.enum(['EACCES', 'EPERM']).optional(),
  alerts: z.array(alert).default([]),
});

const about = {
  expect: expectation,
  uid: z.int().default(0),
  source: z.string().default('/bin/worker'),
  container: z.string().default('target'),
};

const pathOperations = [
  'create',
  'unlink',
  'symlink',
  'mkdir',
  'rmdir',
  'chmod',
  'chown',
  'truncate',
] as const;
const step = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('exec'), path: z.string(), ...about }),
  z.strictObject({ do: z.literal('open'), path: z.string(), flags: z.string(), ...about }),
  z.strictObject({ do: z.enum(pathOperations), path: z.string(), ...about }),
  z.strictObject({ do: z.enum(['rename', 'link']), from: z.string(), to: z.string(), ...about }),
  z.strictObject({
    do: z.enum(['socket', 'connect', 'accept']),
    family: z.literal(['unix', 'inet', 'inet6', 'netlink', 'packet', 'smc']),
    type: z.string(),
    protocol: z.union([
      z.int(),
      z.literal(['icmp', 'tcp', 'udp', 'dccp', 'icmpv6', 'sctp', 'udplite', 'mptcp', 'all']),
    ]),
    ...about,
  }),
  z.strictObject({ do: z.literal('capability'), capability: z.enum(CAPABILITIES), ...about }),
]);

const container = z.strictObject({
  namespace: z.string(),
  labels: z.record(z.string(), z.string()),
  containerName: z.string().default('target'),
});

const vector = z.strictObject({
  name: z.string(),
  why: z.string(),
  appArmor: z.strictObject({ expect: z.enum(['refused', 'not required']), why: z.string() }).optional(),
  postures: z.partialRecord(z.enum(KINDS), z.enum(['audit', 'block'])).default({}),
  audited: z.boolean().default(false),
  containers: z
    .record(z.string(), container)
    .default({ target: { namespace: 'vectors', labels: { app: 'target' }, containerName: 'target' } }),
  policies: z.array(
    z.strictObject({ name: z.string(), namespace: z.string().default('vectors'), spec: z.unknown() }),
  ),
  steps: z.array(step),
});

const owned = z.array(z.tuple([z.string(), z.int(), z.string()]));
const pairs = z.array(z.tuple([z.string(), z.string()]));
const vectorFile = z.strictObject({
  format: z.record(z.string(), z.string()),
  stage: z.strictObject({ directories: owned, files: owned, programs: owned, scripts: pairs, links: pairs }),
  groups: z.array(z.strictObject({ name: z.string(), about: z.string(), vectors: z.array(vector) })),
});

export type PolicyVector = z.infer<typeof vector>;
export type VectorStep = z.infer<typeof step>;
export type ExpectedAlert = z.infer<typeof alert>;

const read = vectorFile.parse(file);

export const vectorGroups = read.groups;
/** What every container has in it when a vector begins. */
export const stage = read.stage;

/** The policies of a vector, read as from a file: JSON is YAML. */
export function policiesOf({ name, policies }: PolicyVector): readonly Policy[] {
  return parsePolicies(
    policies.map(({ name: policy, namespace, spec }) => ({
      file: `vector "${name}", policy ${policy}`,
      text: JSON.stringify({
        apiVersion: 'security.kubearmor.com/v1',
        kind: 'KubeArmorPolicy',
        metadata: { name: policy, namespace },
        spec,
      }),
    })),
  );
}

export function posturesOf({ postures }: PolicyVector): Record<Kind, 'audit' | 'block'> {
  return { process: 'audit', file: 'audit', network: 'audit', capability: 'audit', ...postures };
}

/** The step with the kernel's numbers in place of names. */
export function operationOf(step: VectorStep): Operation {
  if (!('family' in step)) return step;
  const { family, type, protocol } = step;
  return {
    do: step.do,
    family: FAMILIES[family],
    type: typeOf(type),
    protocol: typeof protocol === 'number' ? protocol : PROTOCOLS[protocol],
  };
}

function typeOf(type: string): number {
  const [name = '', ...flags] = type.split('+');
  const base = Object.entries(TYPES).find(([known]) => known === name)?.[1];
  if (base === undefined) throw new Error(`unknown type of socket: ${type}`);
  return flags.reduce<number>((sum, flag) => {
    const bit = TYPE_FLAGS[flag];
    if (bit === undefined) throw new Error(`unknown flag of a socket: ${type}`);
    return sum | bit;
  }, base);
}

/** The stage as the files that verdicts depend on. */
export const stageFiles: Files = {
  ownerOf: (path) => owners.get(path),
  resolve: (path) => links.get(path) ?? path,
  interpreterOf: (path) => scripts.get(path),
  isDirectory: (path) => directories.has(path),
};

const links = new Map(stage.links);
const scripts = new Map(stage.scripts);
const directories = new Set(stage.directories.map(([path]) => path));
const owners = new Map<string, number>([
  ['/', 0],
  ...[...stage.directories, ...stage.files, ...stage.programs].map(([path, uid]): [string, number] => [
    path,
    uid,
  ]),
  ...[...links.keys(), ...scripts.keys()].map((path): [string, number] => [path, 0]),
]);
