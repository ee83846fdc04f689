// Alerts as KubeArmor writes them, one JSON object a line, in both of its spellings.

import { containerId } from '@alert-throttle/test-kit';
import { formatMicros } from '@alert-throttle/throttle';

export interface Event {
  readonly container: number;
  readonly atMicros: number;
  /** Tells one alert of a container from the others. */
  readonly index: number;
}

/** CamelCase, as from the gRPC feed and `karmor logs --json`. */
function feedSpelling({ container, atMicros, index }: Event): Record<string, unknown> {
  return {
    Timestamp: Math.floor(atMicros / 1_000_000),
    UpdatedTime: formatMicros(atMicros),
    ClusterName: 'default',
    HostName: `host-${container % 3}`,
    NamespaceName: 'shop',
    PodName: `pod-${container}`,
    ContainerID: containerId(container),
    ContainerName: 'web',
    ContainerImage: 'docker.io/library/nginx:1.27@sha256:0123456789ab',
    HostPID: 4711,
    PPID: 1,
    PID: 12,
    UID: 0,
    PolicyName: 'audit-etc',
    Severity: '5',
    Message: `reading ${index}`,
    Type: 'MatchedPolicy',
    Source: '/bin/cat',
    Operation: 'File',
    Resource: `/etc/passwd${index}`,
    Data: 'syscall=SYS_OPENAT',
    Action: 'Audit',
    Result: 'Passed',
    Enforcer: 'eBPF Monitor',
    Labels: `app=web-${container}`,
    ATags: ['FILE'],
    Owner: { Ref: 'Deployment', Name: `web-${container}`, Namespace: 'shop' },
    ExecEvent: { ExecID: '77', ExecutableName: 'cat' },
    NodeID: `node-${container % 3}`,
    Cwd: '/',
  };
}

/** Names in the log file that are not just the others with a small first letter. */
const LOG_FILE_NAMES: Readonly<Record<string, string>> = {
  HostPID: 'hostPid',
  PPID: 'ppid',
  PID: 'pid',
  UID: 'uid',
  ATags: 'atags',
};

/** camelCase, as in KubeArmor's log file. */
function logFileSpelling(event: Event): Record<string, unknown> {
  const renamed = Object.entries(feedSpelling(event)).map(([name, value]) => [
    LOG_FILE_NAMES[name] ?? name.charAt(0).toLowerCase() + name.slice(1),
    value,
  ]);
  return Object.fromEntries(renamed) as Record<string, unknown>;
}

/** Containers of even numbers in one spelling, of odd numbers in the other. */
export function kubeArmorLine(event: Event): string {
  return JSON.stringify(event.container % 2 === 0 ? feedSpelling(event) : logFileSpelling(event));
}
