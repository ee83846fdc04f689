// The alert that all benchmarks use: 829 bytes of Avro, as KubeArmor raises it for a policy on a web server.

import { createHash } from 'node:crypto';

import { type Alert, makeAlert } from '@alert-throttle/alert';

/** The index-th alert, of one of so many containers. */
export function sampleAlert(index: number, containers: number): Alert {
  const container = index % containers;
  return makeAlert({
    ContainerID: containerId(container),
    NodeID: '3f5c1c0e8a7d4b5f9a6c2e1d0b9f8a77',
    BootID: '0b6c8c0e-5b1f-4a8b-9d0e-5f4d3c2b1a00',
    Sequence: 1_000_000 + index,
    EventTimeMicros: 1_763_881_200_000_000 + index * 1003,
    Type: 'MatchedPolicy',
    Operation: ['File', 'Process', 'Network'][index % 3] ?? '',
    Action: 'Audit',
    Enforcer: 'eBPF Monitor',
    NamespaceName: 'wordpress-mysql',
    PolicyName: 'ksp-wordpress-block-process',
    Severity: '5',
    Timestamp: 1_763_881_200,
    UpdatedTime: '2025-11-23T07:00:00.000123Z',
    ClusterName: 'default',
    HostName: 'prateek',
    PodName: 'wordpress-586468bf4f-8bf6x',
    ContainerName: 'wordpress',
    HostPID: 123_456 + index,
    PPID: 4242,
    PID: 777 + index,
    UID: 33,
    Tags: 'NIST,MITRE,PCI_DSS',
    Message: 'Alert! Execution of package management process inside container is denied',
    Source: '/usr/bin/bash',
    Resource: `/usr/bin/apt update --flag ${index}`,
    Data: 'syscall=SYS_EXECVE fd=-100 flags=O_RDONLY',
    Result: 'Passed',
    ContainerImage:
      'docker.io/library/wordpress:4.8-apache@sha256:6216f64ab88fc51d311e38c7f69ca3f9aaba621492b4f1fa93ddf63093768845',
    ParentProcessName: '/usr/bin/bash',
    ProcessName: '/usr/bin/apt',
    HostPPID: 123_400,
    Labels: 'app=wordpress,pod-template-hash=586468bf4f',
    ATags: ['NIST', 'MITRE', 'PCI_DSS'],
    Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
    Cwd: '/var/www/html/',
    TTY: 'pts0',
    ExecEvent: { ExecID: '184467440737', ExecutableName: 'apt' },
    EventData: { Syscall: 'SYS_EXECVE' },
  });
}

/** 64 hex digits, spread over all partitions, always the same for the same number. */
export function containerId(container: number): string {
  return createHash('sha256').update(String(container)).digest('hex');
}
