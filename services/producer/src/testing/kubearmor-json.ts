// One alert in the two spellings that KubeArmor writes, for tests.

/** As its gRPC feed and `karmor logs --json` have it: protobuf names, zero values left out but for PPID and UID. */
export function feedAlert(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    Timestamp: 1647101470,
    UpdatedTime: '2022-03-12T16:11:10.296322Z',
    ClusterName: 'default',
    HostName: 'kubearmor-dev',
    NamespaceName: 'wordpress-mysql',
    PodName: 'wordpress-54dd4449df-992rm',
    ContainerID: '6e0ecd721430180196ab982d08515a1f69c5eb86ec1dafd554d8ca7e0830047d',
    ContainerName: 'wordpress',
    HostPID: 12297,
    PPID: 200,
    PID: 205,
    UID: 0,
    PolicyName: 'ksp-wordpress-block-process',
    Severity: '3',
    Tags: 'WARNING,ATTACK',
    Message: 'apt is not allowed',
    Type: 'MatchedPolicy',
    Source: '/bin/bash',
    Operation: 'Process',
    Resource: '/usr/bin/apt update',
    Data: 'syscall=SYS_EXECVE',
    Action: 'Audit',
    Result: 'Passed',
    ContainerImage: 'wordpress:4.8-apache@sha256:6216f64ab88f',
    ParentProcessName: '/bin/bash',
    ProcessName: '/usr/bin/apt',
    HostPPID: 12290,
    Enforcer: 'eBPF Monitor',
    Labels: 'app=wordpress',
    ATags: ['WARNING', 'ATTACK'],
    Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
    Cwd: '/var/www/html/',
    TTY: 'pts0',
    ExecEvent: { ExecID: '0', ExecutableName: 'apt' },
    KubeArmorVersion: '1.5.1',
    NodeID: 'node-1',
    EventData: { Syscall: 'SYS_EXECVE' },
    ...fields,
  };
}

const LOG_FILE_NAMES: Readonly<Record<string, string>> = {
  HostPID: 'hostPid',
  HostPPID: 'hostPPid',
  PPID: 'ppid',
  PID: 'pid',
  UID: 'uid',
  ATags: 'atags',
  TTY: 'tty',
};

/** As its log file has it: names of its own, and a few fields more. */
export function logFileAlert(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const renamed = Object.entries(feedAlert()).map(([name, value]) => [
    LOG_FILE_NAMES[name] ?? name.charAt(0).toLowerCase() + name.slice(1),
    value,
  ]);
  return { ...(Object.fromEntries(renamed) as Record<string, unknown>), oid: 0, ...fields };
}
