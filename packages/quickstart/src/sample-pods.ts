// Who speaks in the sample: pods as KubeArmor's own guides deploy them, each with one kind of alert.

/** The fields of an alert in KubeArmor's CamelCase spelling; times, ids and what varies come from the sample. */
export type AlertFields = Readonly<Record<string, unknown>>;

/** How KubeArmor spells the JSON: CamelCase on its gRPC feed and in `karmor logs --json`, camelCase in its log file. */
export type Spelling = 'feed' | 'logFile';

export interface SamplePod {
  readonly fields: AlertFields;
  /** One of these per alert, in turn. */
  readonly variants: readonly AlertFields[];
  readonly spelling: Spelling;
}

const NODE = {
  ClusterName: 'default',
  HostName: 'worker-1',
  NodeID: '5f2e8a3c9b7d41e6a0c4f1d2b3e49687',
} as const;
const KUBEARMOR_VERSION = 'v1.6.3';

function owner(Ref: string, Name: string, Namespace: string): AlertFields {
  return { Ref, Name, Namespace };
}

function tags(...names: readonly string[]): AlertFields {
  return { Tags: names.join(','), ATags: names };
}

/** A read of a file that an audit policy matches: the operation goes on, only an alert is made of it. */
function fileRead(process: string, path: string): AlertFields {
  return {
    Operation: 'File',
    Source: `${process} ${path}`,
    ProcessName: process,
    Resource: path,
    Data: 'syscall=SYS_OPENAT fd=-100 flags=O_RDONLY',
    EventData: { Syscall: 'SYS_OPENAT', Fd: '-100', Flags: 'O_RDONLY' },
  };
}

function exec(parent: string, command: string): AlertFields {
  return {
    Operation: 'Process',
    Source: parent,
    ParentProcessName: parent,
    ProcessName: command.split(' ')[0],
    Resource: command,
    Data: 'syscall=SYS_EXECVE',
    EventData: { Syscall: 'SYS_EXECVE' },
  };
}

const AUDIT = {
  Type: 'MatchedPolicy',
  Enforcer: 'eBPF Monitor',
  Action: 'Audit',
  Result: 'Passed',
} as const;
const BLOCK = {
  Type: 'MatchedPolicy',
  Enforcer: 'BPFLSM',
  Action: 'Block',
  Result: 'Permission denied',
  KubeArmorVersion: KUBEARMOR_VERSION,
} as const;

export const WORDPRESS: SamplePod = {
  spelling: 'feed',
  fields: {
    ...NODE,
    ...AUDIT,
    NamespaceName: 'wordpress-mysql',
    PodName: 'wordpress-586468bf4f-8bf6x',
    Labels: 'app=wordpress',
    Owner: owner('Deployment', 'wordpress', 'wordpress-mysql'),
    ContainerName: 'wordpress',
    ContainerImage:
      'docker.io/library/wordpress:4.8-apache@sha256:6216f64ab88fc51d311e38c7f69ca3f9aaba621492b4f1fa93ddf63093768845',
    PolicyName: 'ksp-wordpress-audit-config-reads',
    Severity: '5',
    ...tags('NIST', 'NIST_800-53_AC-6', 'MITRE_T1552_unsecured_credentials'),
    Message: 'Credentials of the database were read',
    ParentProcessName: '/usr/sbin/apache2',
    Cwd: '/var/www/html/',
    UID: 33,
  },
  variants: [
    fileRead('/usr/sbin/apache2', '/var/www/html/wp-config.php'),
    fileRead('/usr/sbin/apache2', '/var/www/html/wp-config.php'),
    fileRead('/bin/cat', '/var/www/html/.htaccess'),
  ],
};

export const MYSQL: SamplePod = {
  spelling: 'logFile',
  fields: {
    ...NODE,
    ...AUDIT,
    NamespaceName: 'wordpress-mysql',
    PodName: 'mysql-76ddc6ddc4-h47hv',
    Labels: 'app=mysql',
    Owner: owner('Deployment', 'mysql', 'wordpress-mysql'),
    ContainerName: 'mysql',
    ContainerImage:
      'docker.io/library/mysql:5.6@sha256:20575ecebe6216036d25dab5903808211f1e9ba63dc7825ac20cb975e34cfcae',
    PolicyName: 'ksp-mysql-audit-data-dir',
    Severity: '3',
    ...tags('CIS', 'PCI_DSS'),
    Message: 'The data directory was opened',
    ParentProcessName: '/usr/bin/containerd-shim-runc-v2',
    Cwd: '/var/lib/mysql/',
    UID: 999,
  },
  variants: [
    fileRead('/usr/sbin/mysqld', '/var/lib/mysql/wordpress/wp_options.ibd'),
    fileRead('/usr/sbin/mysqld', '/var/lib/mysql/wordpress/wp_posts.ibd'),
  ],
};

export const VAULT: SamplePod = {
  spelling: 'feed',
  fields: {
    ...NODE,
    ...AUDIT,
    NamespaceName: 'default',
    PodName: 'vault-0',
    Labels: 'app.kubernetes.io/instance=vault,app.kubernetes.io/name=vault,component=server',
    Owner: owner('StatefulSet', 'vault', 'default'),
    ContainerName: 'vault',
    ContainerImage:
      'docker.io/hashicorp/vault:1.13.1@sha256:b888abc3fc0529550d4a6c87884419e86b8cb736fe556e3e717a6bc50888b3b8',
    PolicyName: 'ksp-vault-network',
    Severity: '8',
    ...tags('MITRE', 'network'),
    Message: 'Vault opened a socket',
    ParentProcessName: '/usr/bin/containerd-shim-runc-v2',
    ProcessName: '/bin/vault',
    Cwd: '/',
    UID: 100,
  },
  variants: [
    {
      Operation: 'Network',
      Source: '/bin/vault status -tls-skip-verify',
      Resource: 'domain=AF_UNIX type=SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC protocol=0',
      Data: 'syscall=SYS_SOCKET',
      EventData: { Syscall: 'SYS_SOCKET', Domain: 'AF_UNIX', Type: 'SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC' },
    },
  ],
};

export const UBUNTU: SamplePod = {
  spelling: 'feed',
  fields: {
    ...NODE,
    ...BLOCK,
    NamespaceName: 'multiubuntu',
    PodName: 'ubuntu-1-deployment-5d6b975744-rrkhh',
    Labels: 'container=ubuntu-1,group=group-1',
    Owner: owner('Deployment', 'ubuntu-1-deployment', 'multiubuntu'),
    ContainerName: 'ubuntu-1-container',
    ContainerImage:
      'docker.io/kubearmor/ubuntu-w-utils:latest@sha256:9bd2a0a3a7d0a3f1e9a0f0e5b8d2d5c14c0ee5f7ee3f8d7dd1bb0e7e6c0c2a11',
    PolicyName: 'ksp-group-1-block-package-managers',
    Severity: '5',
    ...tags('NIST', 'NIST_800-53_CM-7(4)', 'SI-4', 'process'),
    Message: 'Alert! Execution of package management process inside container is denied',
    TTY: 'pts0',
    Cwd: '/',
    ExecEvent: { ExecID: '1836311905', ExecutableName: 'bash' },
  },
  variants: [exec('/bin/bash', '/usr/bin/apt update'), exec('/bin/bash', '/usr/bin/apt-get install -y nmap')],
};

export const CRON_JOB: SamplePod = {
  spelling: 'logFile',
  fields: {
    ...NODE,
    ...AUDIT,
    NamespaceName: 'multiubuntu',
    PodName: 'backup-28934210-x7kq9',
    Labels: 'job-name=backup-28934210',
    Owner: owner('Job', 'backup-28934210', 'multiubuntu'),
    ContainerName: 'backup',
    ContainerImage:
      'docker.io/library/busybox:1.36@sha256:3fbc632167424a6d997e74f52b878d7cc478225cffac6bc977eedfe51c7f4e79',
    PolicyName: 'ksp-audit-shell-tools',
    Severity: '1',
    ...tags('MITRE', 'MITRE_T1059_command_and_scripting_interpreter'),
    Message: 'A shell tool was started',
    Cwd: '/backup/',
  },
  variants: [
    exec('/bin/sh', '/bin/tar czf /backup/data.tgz /data'),
    exec('/bin/sh', '/bin/gzip -t /backup/data.tgz'),
  ],
};

/** The node itself: a host policy, and no container. */
export const HOST: SamplePod = {
  spelling: 'feed',
  fields: {
    ...NODE,
    ...BLOCK,
    Type: 'MatchedHostPolicy',
    PolicyName: 'hsp-block-kernel-modules',
    Severity: '10',
    ...tags('MITRE', 'MITRE_T1547_boot_or_logon_autostart'),
    Message: 'Loading a kernel module is denied on this node',
    Cwd: '/root/',
    TTY: 'pts1',
    UserName: 'root',
  },
  variants: [exec('/usr/bin/bash', '/usr/sbin/insmod ./rootkit.ko')],
};
