// Every operation that rules judge: tried on what a rule names, and on a neighbour that no rule names. What each has to
// come to stands beside it; the scenario carries it out, and the test on the host asserts it.
import type { Operation } from '@alert-throttle/guest/inside';

export interface Case {
  readonly name: string;
  /** Before there is any rule. `$0`, `$1` ... in what follows are what these returned. */
  readonly before?: readonly Operation[];
  /** Another process, outside of every container, hands over a descriptor of that file first. */
  readonly handedOver?: readonly [guarded: string, neighbour: string];
  readonly operation: Operation;
  /** Much the same, and nobody's business. */
  readonly neighbour: Operation;
  readonly alert: Expected;
  /** Where the rule is an Audit rule, or the pod is only audited: silent if not said otherwise. */
  readonly auditRule: 'alert' | 'silent';
  readonly auditedPod: 'alert' | 'silent';
  /** Where it fails for a reason of its own, with and without a rule. */
  readonly otherwise?: string;
  /** Of exec only: it fails later, by how the program ended. */
  readonly isRefusedLater?: boolean;
}

export interface Expected {
  readonly operation: 'File' | 'Process' | 'Network' | 'Capabilities';
  readonly lsm: string;
  /** `$root` is where the container's root is for the guest. */
  readonly resource: string;
  readonly error?: 'EACCES' | 'EPERM';
  /** In EventData, beside Lsm. */
  readonly more?: Readonly<Record<string, string>>;
  /** Where it is not the workload itself. */
  readonly source?: string;
}

const WRITE = { Access: 'write' };

function change(
  name: string,
  lsm: string,
  operation: Operation,
  neighbour: Operation,
  more: Partial<Case> & { readonly resource?: string } = {},
): Case {
  const { resource = String(operation[1]), ...rest } = more;
  const alert: Expected = { operation: 'File', lsm, resource, more: WRITE };
  return { name, operation, neighbour, alert, auditRule: 'alert', auditedPod: 'alert', ...rest };
}

function open(name: string, flags: string, seen: string, more: Readonly<Record<string, string>> = {}): Case {
  return {
    name,
    operation: ['open', '/guarded/file', flags],
    neighbour: ['open', '/free/file', flags],
    alert: {
      operation: 'File',
      lsm: 'FILE_OPEN',
      resource: '/guarded/file',
      more: { Flags: seen, ...more },
    },
    auditRule: 'alert',
    auditedPod: 'alert',
  };
}

/** Through a descriptor that is older than the rule; it raised its alert when it was opened, or nobody was there to see. */
function older(name: string, lsm: string, operation: string, ...rest: (string | number)[]): Case {
  const one = change(name, lsm, [operation, '$0', ...rest], [operation, '$1', ...rest], {
    before: [
      ['fd_open', '/guarded/file', 'rw'],
      ['fd_open', '/free/file', 'rw'],
    ],
    resource: '/guarded/file',
  });
  const isChange = lsm !== 'FILE_PERMISSION' && lsm !== 'MMAP_FILE';
  return isChange ? one : { ...one, auditRule: 'silent', auditedPod: 'silent' };
}

const files: readonly Case[] = [
  open('open for reading', 'r', '0x8000'),
  open('open for writing', 'w', '0x8001', WRITE),
  open('open and truncate', 'w,trunc', '0x8201', WRITE),
  change('create', 'FILE_MKNOD', ['create', '/guarded/new'], ['create', '/free/new']),
  change('make a pipe', 'FILE_MKNOD', ['mknod', '/guarded/fifo', 'fifo'], ['mknod', '/free/fifo', 'fifo']),
  change('remove', 'FILE_UNLINK', ['unlink', '/guarded/gone'], ['unlink', '/free/gone']),
  change(
    'rename away',
    'FILE_RENAME',
    ['rename', '/guarded/from', '/free/came'],
    [...(['rename', '/free/from', '/free/went'] as const)],
  ),
  change(
    'rename to',
    'FILE_RENAME',
    ['rename', '/free/one', '/guarded/one'],
    ['rename', '/free/two', '/free/three'],
    {
      resource: '/guarded/one',
    },
  ),
  change(
    'link from',
    'FILE_LINK',
    ['link', '/guarded/file', '/free/linked'],
    ['link', '/free/file', '/free/second'],
  ),
  change(
    'link to',
    'FILE_LINK',
    ['link', '/free/file', '/guarded/linked'],
    ['link', '/free/file', '/free/third'],
    {
      resource: '/guarded/linked',
    },
  ),
  change(
    'symlink',
    'FILE_SYMLINK',
    ['symlink', '/nowhere', '/guarded/link'],
    ['symlink', '/nowhere', '/free/link'],
    {
      resource: '/guarded/link',
    },
  ),
  change('mkdir', 'FILE_MKDIR', ['mkdir', '/guarded/dir'], ['mkdir', '/free/dir']),
  change('rmdir', 'FILE_RMDIR', ['rmdir', '/guarded/empty'], ['rmdir', '/free/empty'], {
    before: [
      ['mkdir', '/guarded/empty'],
      ['mkdir', '/free/empty'],
    ],
  }),
  change('chmod', 'FILE_CHMOD', ['chmod', '/guarded/file', '600'], ['chmod', '/free/file', '600']),
  change('chown', 'FILE_CHOWN', ['chown', '/guarded/file', 0, 0], ['chown', '/free/file', 0, 0]),
  change('truncate', 'FILE_TRUNCATE', ['truncate', '/guarded/file', 3], ['truncate', '/free/file', 3]),
  older('chmod of a descriptor', 'FILE_CHMOD', 'fd_chmod', '600'),
  older('chown of a descriptor', 'FILE_CHOWN', 'fd_chown', 0, 0),
  older('truncate a descriptor', 'FILE_TRUNCATE', 'fd_truncate', 2),
  older('write to a descriptor', 'FILE_PERMISSION', 'fd_write', 'text'),
  older('map a descriptor for writing', 'MMAP_FILE', 'fd_map_write', 'x'),
  older('make a mapping writable', 'MMAP_FILE', 'fd_map_later', 'x'),
  {
    name: 'receive a descriptor',
    before: [
      ['fd_listen', '/free/guarded.sock'],
      ['fd_listen', '/free/neighbour.sock'],
    ],
    handedOver: ['/guarded/file', '/free/file'],
    operation: ['fd_receive', '$0'],
    neighbour: ['fd_receive', '$1'],
    // Its path is that of the mount by which it was opened, which is the guest's.
    alert: { operation: 'File', lsm: 'FILE_RECEIVE', resource: '$root/guarded/file' },
    auditRule: 'alert',
    auditedPod: 'alert',
  },
];

/** Only Block rules hold directories above in place, and mounts off. */
const above: readonly Case[] = [
  change(
    'rename a directory above',
    'FILE_RENAME',
    ['rename', '/deep', '/deep2'],
    ['rename', '/free/sub', '/free/sub2'],
    {
      auditRule: 'silent',
      alert: {
        operation: 'File',
        lsm: 'FILE_RENAME',
        resource: '/deep',
        more: { ...WRITE, ProtectedPath: '/deep/er/key' },
      },
    },
  ),
  change(
    'move a mount over',
    'MOVE_MOUNT',
    ['move_mount', '$0', '/guarded/sub'],
    ['move_mount', '$1', '/free/target'],
    {
      before: [
        ['open_tree', '/free'],
        ['open_tree', '/free'],
      ],
      auditRule: 'silent',
      resource: '/guarded/sub',
    },
  ),
  change(
    'make it the root',
    'SB_PIVOTROOT',
    ['pivot_root', '/guarded', '/guarded'],
    ['pivot_root', '/free', '/free'],
    {
      auditRule: 'silent',
      // It is on the same mount as the root of now.
      otherwise: 'EBUSY',
    },
  ),
  change(
    'mount over',
    'SB_MOUNT',
    ['mount', '/free', '/guarded', '-', 'bind'],
    ['mount', '/free', '/mnt', '-', 'bind'],
    {
      auditRule: 'silent',
      resource: '/guarded',
    },
  ),
];

const programs: readonly Case[] = [
  {
    name: 'run a program',
    operation: ['exec', '/usr/bin/dynamic', '--help'],
    neighbour: ['exec', '/usr/bin/true'],
    alert: { operation: 'Process', lsm: 'SECURITY_BPRM_CHECK', resource: '/usr/bin/dynamic' },
    auditRule: 'alert',
    auditedPod: 'alert',
  },
  {
    name: 'run a script whose interpreter is forbidden',
    operation: ['exec', '/free/script'],
    neighbour: ['exec', '/free/shell-script'],
    alert: { operation: 'Process', lsm: 'SECURITY_BPRM_CHECK', resource: '/usr/bin/dynamic' },
    auditRule: 'alert',
    auditedPod: 'alert',
  },
  {
    name: 'run a program by its loader',
    operation: ['exec', '/usr/lib64/ld-linux-x86-64.so.2', '/usr/bin/dynamic', '--help'],
    neighbour: ['exec', '/usr/lib64/ld-linux-x86-64.so.2', '/free/dynamic', '--help'],
    alert: {
      operation: 'Process',
      lsm: 'MMAP_FILE',
      resource: '/usr/bin/dynamic',
      source: '/usr/lib64/ld-linux-x86-64.so.2',
    },
    isRefusedLater: true,
    auditRule: 'silent',
    auditedPod: 'alert',
  },
  {
    name: 'make a mapping executable',
    operation: ['mprotect_exec', '/usr/bin/dynamic'],
    neighbour: ['mprotect_exec', '/usr/bin/busybox'],
    alert: { operation: 'Process', lsm: 'MMAP_FILE', resource: '/usr/bin/dynamic' },
    auditRule: 'silent',
    auditedPod: 'alert',
  },
];

const TCP = 'domain=AF_INET type=SOCK_STREAM protocol=TCP';

function socket(name: string, lsm: string, port: number | undefined): Pick<Case, 'name' | 'alert'> {
  const resource = port === undefined ? TCP : `${TCP} port=${port}`;
  const more = {
    ...{ Domain: 'AF_INET', Type: 'SOCK_STREAM', Protocol: 'TCP', Resource: resource },
    ...(port === undefined ? {} : { Port: String(port) }),
  };
  return { name, alert: { operation: 'Network', lsm, resource, more } };
}

/** Containers share the network of the guest, so that each needs ports of its own. */
const sockets = (port: number): readonly Case[] => [
  {
    ...socket('make a socket', 'SOCKET_CREATE', undefined),
    operation: ['socket', 'inet', 'stream', '0'],
    neighbour: ['socket', 'inet', 'dgram', '0'],
    auditRule: 'alert',
    auditedPod: 'alert',
  },
  {
    ...socket('connect', 'SOCKET_CONNECT', port),
    before: [
      ['fd_socket', 'inet', 'stream', '0'],
      ['fd_socket', 'inet', 'dgram', '0'],
      ['fd_socket', 'inet', 'stream', '0'],
      ['fd_bind', '$2', '127.0.0.1', port],
      ['fd_listen_on', '$2'],
    ],
    operation: ['fd_connect', '$0', '127.0.0.1', port],
    neighbour: ['fd_connect', '$1', '127.0.0.1', port],
    auditRule: 'alert',
    auditedPod: 'alert',
  },
  {
    ...socket('accept', 'SOCKET_ACCEPT', port + 1),
    before: [
      ['fd_socket', 'inet', 'stream', '0'],
      ['fd_bind', '$0', '127.0.0.1', port + 1],
      ['fd_listen_on', '$0'],
      ['fd_socket', 'inet', 'stream', '0'],
      ['fd_connect', '$3', '127.0.0.1', port + 1],
      ['fd_socket', 'unix', 'stream', '0'],
      ['fd_bind', '$5', '/free/accept.sock', 0],
      ['fd_listen_on', '$5'],
      ['fd_socket', 'unix', 'stream', '0'],
      ['fd_connect', '$8', '/free/accept.sock', 0],
    ],
    operation: ['fd_accept', '$0'],
    neighbour: ['fd_accept', '$5'],
    auditRule: 'alert',
    auditedPod: 'alert',
  },
  {
    name: 'use a capability',
    operation: ['capability', 'sys_chroot'],
    neighbour: ['capability', 'sys_resource'],
    alert: { operation: 'Capabilities', lsm: 'CAPABLE', resource: 'CAP_SYS_CHROOT', error: 'EPERM' },
    auditRule: 'alert',
    auditedPod: 'alert',
  },
];

export const casesWithPort = (port: number): readonly Case[] => [
  ...files,
  ...above,
  ...programs,
  ...sockets(port),
];

/** What they are tried on: of a policy that refuses, and of one that watches. */
export const GUARDED = {
  file: {
    matchDirectories: [{ dir: '/guarded/', recursive: true }],
    matchPaths: [{ path: '/deep/er/key' }],
  },
  process: { matchPaths: [{ path: '/usr/bin/dynamic' }] },
  network: { matchProtocols: [{ protocol: 'tcp' }] },
  capabilities: { matchCapabilities: [{ capability: 'sys_chroot' }] },
};

/** In the root of each container that operations are tried in. */
export const OPERATION_FILES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['/guarded', '/free'].flatMap((folder) =>
      ['file', 'gone', 'from', 'sub/file'].map((name) => [`${folder}/${name}`, 'a text']),
    ),
  ),
  ...{ '/free/one': '1', '/free/two': '2', '/free/target/file': 't', '/deep/er/key': 'k' },
};
