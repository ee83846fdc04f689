// An alert as an audit policy of KubeArmor raises it, for tests that need one and do not care which.
import { makeAlert, type Alert } from '@alert-throttle/alert';

const MICROS_PER_MS = 1_000;

/** Eligible for throttling, stamped now; any field may be given. */
export function sampleAlert(fields: Partial<Alert> = {}): Alert {
  return makeAlert({
    ContainerID: 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f',
    NodeID: 'node-1',
    EventTimeMicros: Date.now() * MICROS_PER_MS,
    Type: 'MatchedPolicy',
    Operation: 'Process',
    Action: 'Audit',
    Enforcer: 'eBPF Monitor',
    NamespaceName: 'wordpress-mysql',
    PolicyName: 'audit-shells',
    Severity: '5',
    ClusterName: 'default',
    HostName: 'node-1',
    PodName: 'wordpress-586468bf4f-8bf6x',
    Labels: 'app=wordpress',
    ContainerName: 'wordpress',
    Source: '/bin/bash',
    Resource: '/usr/bin/apt',
    Result: 'Passed',
    Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
    ...fields,
  });
}

/** A container id of 64 hexadecimal digits, always the same for the same number. */
export function containerId(number: number): string {
  return number.toString(16).padStart(64, 'c');
}
