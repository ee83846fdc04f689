// Alerts as a cluster raises them, for what depends on how much they repeat: many workloads, and in each alert its own
// process ids, command, paths and times. The same seed gives the same alerts.

import { createHash } from 'node:crypto';

import type { Alert } from '@alert-throttle/alert';

import { containerId, sampleAlert } from './sample-alert.ts';

const WORKLOADS = [
  'wordpress',
  'mysql',
  'checkout',
  'cart',
  'redis',
  'frontend',
  'ingest',
  'search',
  'ledger',
];
const FILES = ['/etc/passwd', '/etc/shadow', '/proc/self/environ', '/var/lib/data/segment', '/tmp/session'];
const PROGRAMS = [
  '/bin/cat',
  '/usr/bin/apt',
  '/usr/bin/curl',
  '/usr/bin/python3.11',
  '/bin/sh',
  '/usr/bin/tar',
];
const POLICIES = ['audit-etc', 'ksp-block-package-managers', 'audit-egress', 'harden-tokens', 'audit-proc'];
const SYSCALLS = ['SYS_OPENAT', 'SYS_EXECVE', 'SYS_CONNECT', 'SYS_UNLINKAT'];

function hex(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}

/** The index-th alert of so many containers, in random turns. */
export function variedAlert(index: number, containers: number): Alert {
  const random = numbersFrom(hex(`alert ${index}`, 64));
  const pick = (items: readonly string[]): string => items[random() % items.length] ?? '';
  const container = random() % containers;
  const workload = WORKLOADS[container % WORKLOADS.length] ?? '';
  const namespace = `team-${container % 23}`;
  const program = pick(PROGRAMS);
  const policy = pick(POLICIES);
  const pid = 1 + (random() % 4_194_304);
  const atMicros = 1_763_881_200_000_000 + index * 997 + (random() % 900);
  const file = `${pick(FILES)}/${hex(`file ${random() % 5000}`, 12)}`;
  const host =
    random() % 2 === 0 ? `10.${random() % 256}.${random() % 256}.${random() % 256}` : 'registry.local';
  const resource = random() % 3 === 0 ? `${program} https://${host}:${random() % 65_536}/${random()}` : file;
  return {
    ...sampleAlert(index, containers),
    ContainerID: containerId(container),
    NodeID: hex(`node ${container % 11}`, 32),
    EventTimeMicros: atMicros,
    Timestamp: Math.floor(atMicros / 1e6),
    UpdatedTime: new Date(atMicros / 1000)
      .toISOString()
      .replace('Z', `${String(atMicros % 1000).padStart(3, '0')}Z`),
    NamespaceName: namespace,
    PolicyName: policy,
    Severity: String(1 + (random() % 10)),
    HostName: `worker-${container % 11}`,
    PodName: `${workload}-${hex(`set ${container % 61}`, 10)}-${hex(`pod ${container}`, 5)}`,
    ContainerName: workload,
    HostPID: pid,
    PPID: random() % 32_768,
    PID: random() % 32_768,
    UID: random() % 5 === 0 ? 0 : 1000 + (random() % 50),
    Tags: ['NIST', 'MITRE', 'CIS', 'PCI_DSS'].slice(random() % 3).join(','),
    Message: `Audited by ${policy}`,
    Source: `${program} ${hex(`args ${random()}`, random() % 24)}`,
    Resource: resource,
    Data: `syscall=${pick(SYSCALLS)} fd=${random() % 1024} flags=O_RDONLY|O_CLOEXEC`,
    ContainerImage: `docker.io/library/${workload}:1.${container % 13}@sha256:${hex(`image ${container % 61}`, 64)}`,
    ParentProcessName: pick(PROGRAMS),
    ProcessName: program,
    HostPPID: 1 + (random() % 4_194_304),
    Labels: `app=${workload},pod-template-hash=${hex(`set ${container % 61}`, 10)}`,
    Owner: { Ref: 'Deployment', Name: workload, Namespace: namespace },
    Cwd: `/srv/${workload}/${random() % 100}/`,
    ExecEvent: { ExecID: String(BigInt(random()) * 7_777_777n), ExecutableName: program.slice(5) },
    EventData: { Syscall: pick(SYSCALLS), Fd: String(random() % 1024) },
  };
}

/** xorshift: an alert takes some thirty numbers. */
function numbersFrom(seed: string): () => number {
  let state = Number.parseInt(seed.slice(0, 8), 16) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
