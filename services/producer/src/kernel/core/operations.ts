// What the kernel calls an operation, in KubeArmor's words.
import type { Operation } from '../kernel-port.ts';

/** `lsm=` in an alert's Data: KubeArmor's names of hooks; for hooks that it does not have, in the same manner. */
const HOOK_NAMES: Readonly<Record<Operation, string>> = {
  none: 'UNKNOWN',
  exec: 'SECURITY_BPRM_CHECK',
  mapExec: 'MMAP_FILE',
  open: 'FILE_OPEN',
  receive: 'FILE_RECEIVE',
  create: 'FILE_MKNOD',
  unlink: 'FILE_UNLINK',
  renameFrom: 'FILE_RENAME',
  renameTo: 'FILE_RENAME',
  linkFrom: 'FILE_LINK',
  linkTo: 'FILE_LINK',
  symlink: 'FILE_SYMLINK',
  mkdir: 'FILE_MKDIR',
  rmdir: 'FILE_RMDIR',
  chmod: 'FILE_CHMOD',
  chown: 'FILE_CHOWN',
  truncate: 'FILE_TRUNCATE',
  write: 'FILE_PERMISSION',
  mapWrite: 'MMAP_FILE',
  mount: 'SB_MOUNT',
  moveMount: 'MOVE_MOUNT',
  pivotRoot: 'SB_PIVOTROOT',
  socketCreate: 'SOCKET_CREATE',
  socketConnect: 'SOCKET_CONNECT',
  socketAccept: 'SOCKET_ACCEPT',
  capable: 'CAPABLE',
  bpf: 'BPF',
};

export function hookName(operation: Operation): string {
  return HOOK_NAMES[operation];
}

const PROCESS: ReadonlySet<Operation> = new Set(['exec', 'mapExec']);
const NETWORK: ReadonlySet<Operation> = new Set(['socketCreate', 'socketConnect', 'socketAccept']);

/** `Operation` of an alert: which kind of rule the operation falls under. */
export function alertOperation(operation: Operation): 'Process' | 'File' | 'Network' | 'Capabilities' {
  if (PROCESS.has(operation)) return 'Process';
  if (NETWORK.has(operation)) return 'Network';
  return operation === 'capable' ? 'Capabilities' : 'File';
}

const FAMILIES: Readonly<Record<number, string>> = {
  1: 'AF_UNIX',
  2: 'AF_INET',
  10: 'AF_INET6',
  16: 'AF_NETLINK',
  17: 'AF_PACKET',
  31: 'AF_BLUETOOTH',
  38: 'AF_ALG',
  40: 'AF_VSOCK',
  43: 'AF_SMC',
  44: 'AF_XDP',
};

const SOCKET_TYPES: Readonly<Record<number, string>> = {
  1: 'SOCK_STREAM',
  2: 'SOCK_DGRAM',
  3: 'SOCK_RAW',
  4: 'SOCK_RDM',
  5: 'SOCK_SEQPACKET',
  6: 'SOCK_DCCP',
  10: 'SOCK_PACKET',
};

const INTERNET_PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  33: 'DCCP',
  58: 'ICMPV6',
  132: 'SCTP',
  136: 'UDPLITE',
  255: 'RAW',
  262: 'MPTCP',
};

/** What protocol 0 means, by type of the socket. */
const USUAL_PROTOCOLS: Readonly<Record<number, number>> = { 1: 6, 2: 17, 5: 132 };

/** `domain=AF_INET type=SOCK_STREAM protocol=TCP`; with a port for connections. */
export function socketText([family = 0, type = 0, protocol = 0, port = 0]: readonly number[]): string {
  const isInternet = family === 2 || family === 10;
  const number = protocol === 0 && isInternet ? (USUAL_PROTOCOLS[type & 0xf] ?? 0) : protocol;
  const parts = [
    `domain=${FAMILIES[family] ?? family}`,
    `type=${SOCKET_TYPES[type & 0xf] ?? type & 0xf}`,
    `protocol=${(isInternet ? INTERNET_PROTOCOLS[number] : undefined) ?? number}`,
  ];
  return [...parts, ...(port === 0 ? [] : [`port=${port}`])].join(' ');
}
