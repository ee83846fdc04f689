// Attacks on the rules of one container, from inside it: what is done, and what that has to come to. Run by
// attack-table.ts in a kernel, held against it by attack-table.kernel.test.ts.
import type { Operation } from '@alert-throttle/guest/inside';

export const SECRET = 'the-secret';
const LOADER = '/usr/lib64/ld-linux-x86-64.so.2';
export const PROGRAM = '/usr/bin/dynamic';
const FULL = 'd'.repeat(255);

/** 26 components, 128, and 4095 bytes. */
export const DEEP = `/deep/${Array.from({ length: 24 }, () => 'x').join('/')}/key`;
export const DEEPEST = `/most/${Array.from({ length: 126 }, () => 'y').join('/')}/key`;
export const LONGEST = `/long/${Array.from({ length: 15 }, () => FULL).join('/')}/${'k'.repeat(4095 - 6 - 15 * 256)}`;
/** One component more than a path of a rule may have. */
export const TOO_DEEP_FOLDER = `/most/${Array.from({ length: 126 }, () => 'y').join('/')}/z`;

export const FILES: Readonly<Record<string, string>> = {
  '/etc/secret': SECRET,
  '/etc/keys/a/key': SECRET,
  '/srv/vault/a/b/key': SECRET,
  '/etc/config': 'configuration',
  '/tmp/mine': 'mine',
  '/opt/other': 'other',
  '/usr/share/empty/file': 'file',
  [DEEP]: SECRET,
};

export const SPEC = {
  process: { matchPaths: [{ path: PROGRAM }] },
  file: {
    matchPaths: [
      { path: '/etc/secret' },
      { path: '/etc/keys/a/key' },
      { path: DEEP },
      { path: DEEPEST },
      { path: LONGEST },
      { path: '/etc/config', readOnly: true },
    ],
    matchDirectories: [{ dir: '/srv/vault/', recursive: true }],
  },
  network: { matchProtocols: [{ protocol: 'tcp' }] },
  action: 'Block',
};

/** `$n` in an operation is the descriptor that operation number n brought. */
export interface Attack {
  readonly name: string;
  readonly operations: readonly Operation[];
  /** What each operation comes to, as root with all capabilities and as uid 1000. */
  readonly root: readonly string[];
  readonly user: readonly string[];
  /** Alerts that root gets, each of a refusal. */
  readonly alerts: number;
  /** Where runc's own defaults come in between. */
  readonly runc?: Pick<Attack, 'root' | 'user' | 'alerts'>;
}

export const RENAME_ABOVE = 'rename of a folder above';
export const PROTOCOLS = 'protocols that are TCP too';

const OWN = ['unshare', 'user,mnt'] as const;
const REFUSED = 'EACCES';
/** What the kernel itself refuses to those who may not. */
const UNPRIVILEGED = 'EPERM';

export const ATTACKS: readonly Attack[] = [
  {
    name: 'open',
    operations: [['read', '/etc/secret']],
    root: [REFUSED],
    user: [REFUSED],
    alerts: 1,
  },
  {
    name: 'user and mount namespace of its own',
    operations: [OWN, ['read', '/etc/secret']],
    root: ['done', REFUSED],
    user: ['done', REFUSED],
    alerts: 1,
  },
  {
    name: 'mount namespace of its own',
    operations: [
      ['unshare', 'mnt'],
      ['read', '/etc/secret'],
    ],
    root: ['done', REFUSED],
    user: [UNPRIVILEGED, REFUSED],
    alerts: 1,
  },
  {
    name: 'pid namespace for children that never come',
    operations: [
      ['unshare', 'pid'],
      ['read', '/etc/secret'],
    ],
    root: ['done', REFUSED],
    user: [UNPRIVILEGED, REFUSED],
    alerts: 1,
  },
  {
    name: 'chroot in a user namespace',
    operations: [
      ['unshare', 'user'],
      ['chroot', '/etc'],
      ['read', '/secret'],
    ],
    root: ['done', 'done', REFUSED],
    user: ['done', 'done', REFUSED],
    alerts: 1,
  },
  {
    name: 'descriptor by name only, unlink, open again',
    operations: [
      ['fd_open', '/etc/secret', 'path'],
      ['unlink', '/etc/secret'],
      ['fd_reopen', '$0', 'r'],
    ],
    root: ['done', REFUSED, REFUSED],
    user: ['done', REFUSED, REFUSED],
    alerts: 2,
  },
  {
    name: RENAME_ABOVE,
    operations: [
      ['rename', '/etc/keys', '/etc/other'],
      ['rename', '/etc', '/etc2'],
      ['rename', '/etc/keys', '/usr/share/empty', 'exchange'],
      ['rename', '/usr/share/empty', '/etc/keys', 'exchange'],
      ['rename', '/srv/vault/a', '/tmp/a'],
      ['read', '/etc/other/a/key'],
    ],
    root: [REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, 'ENOENT'],
    user: [REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, 'ENOENT'],
    alerts: 5,
  },
  {
    name: 'bind mount',
    operations: [OWN, ['mount', '/etc', '/mnt', '-', 'bind'], ['read', '/mnt/secret']],
    root: ['done', REFUSED, 'ENOENT'],
    user: ['done', REFUSED, 'ENOENT'],
    alerts: 1,
  },
  {
    name: 'bind mount of the file',
    operations: [OWN, ['mount', '/etc/secret', '/tmp/mine', '-', 'bind'], ['read', '/tmp/mine']],
    root: ['done', REFUSED, 'done'],
    user: ['done', REFUSED, 'done'],
    alerts: 1,
  },
  {
    name: 'another file system over it',
    operations: [OWN, ['mount', 'none', '/etc', 'tmpfs'], ['mount', 'none', '/srv/vault/a', 'tmpfs']],
    root: ['done', REFUSED, REFUSED],
    user: ['done', REFUSED, REFUSED],
    alerts: 2,
  },
  {
    name: 'bind mount, let go of',
    operations: [
      OWN,
      ['mount', '/etc', '/mnt', '-', 'bind'],
      ['fd_open', '/mnt', 'r,directory'],
      ['umount', '/mnt', 'detach'],
      ['fd_openat', '$2', 'secret', 'r'],
    ],
    root: ['done', REFUSED, 'done', 'EINVAL', 'ENOENT'],
    user: ['done', REFUSED, 'done', 'EINVAL', 'ENOENT'],
    alerts: 1,
  },
  {
    name: 'clone of a mount that is mounted nowhere',
    operations: [
      OWN,
      ['open_tree', '/etc'],
      ['fd_openat', '$1', 'secret', 'r'],
      ['move_mount', '$1', '/mnt'],
    ],
    root: ['done', 'done', REFUSED, REFUSED],
    user: ['done', 'done', REFUSED, REFUSED],
    alerts: 2,
  },
  {
    name: 'pivot_root',
    operations: [OWN, ['pivot_root', '.', '.'], ['read', '/etc/secret']],
    root: ['done', REFUSED, REFUSED],
    user: ['done', REFUSED, REFUSED],
    alerts: 2,
  },
  {
    name: 'handle of the file, after the caches are dropped',
    operations: [
      ['handle_save', '/etc/secret'],
      ['drop_caches'],
      ['handle_open', '/', 'r'],
      ['fd_read', '$2'],
    ],
    root: ['done', 'done', REFUSED, 'EBADF'],
    user: ['done', REFUSED, UNPRIVILEGED, 'EBADF'],
    // Overlayfs gives no handles, and under runc nobody drops caches.
    runc: {
      root: ['EOPNOTSUPP', 'EROFS', 'ESTALE', 'EBADF'],
      user: ['EOPNOTSUPP', REFUSED, UNPRIVILEGED, 'EBADF'],
      alerts: 0,
    },
    alerts: 1,
  },
  {
    name: 'deep and long paths',
    operations: [
      ['read', DEEP],
      ['read', DEEPEST],
      ['read', LONGEST],
      ['chdir', TOO_DEEP_FOLDER],
      ['read', 'key'],
    ],
    root: [REFUSED, REFUSED, REFUSED, 'done', REFUSED],
    user: [REFUSED, REFUSED, REFUSED, 'done', REFUSED],
    alerts: 4,
  },
  {
    name: 'hard link',
    operations: [
      ['link', '/etc/secret', '/tmp/link'],
      ['fd_open', '/etc/secret', 'path'],
      ['fd_link', '$1', '/tmp/link'],
      ['read', '/tmp/link'],
    ],
    root: [REFUSED, 'done', REFUSED, 'ENOENT'],
    // Of files that are not theirs, users make no links anyway.
    user: [UNPRIVILEGED, 'done', UNPRIVILEGED, 'ENOENT'],
    alerts: 2,
  },
  {
    name: 'exchange with a file of its own',
    operations: [
      ['rename', '/tmp/mine', '/etc/secret', 'exchange'],
      ['rename', '/etc/secret', '/tmp/mine2'],
      ['read', '/tmp/mine2'],
    ],
    root: [REFUSED, REFUSED, 'ENOENT'],
    user: [REFUSED, REFUSED, 'ENOENT'],
    alerts: 2,
  },
  {
    name: 'other names for the same path',
    operations: [
      ['symlink', '/etc', '/tmp/etc'],
      ['read', '/tmp/etc/secret'],
      ['read', '/proc/self/root/etc/secret'],
      ['read', '/proc/self/cwd/../../../etc/secret'],
      ['fd_open', '/etc', 'r,directory'],
      ['fd_openat', '$4', 'secret', 'r'],
      ['fd_open', '/etc/secret', 'path'],
      ['fd_reopen', '$6', 'r'],
      ['unlink', '/tmp/etc'],
    ],
    root: ['done', REFUSED, REFUSED, REFUSED, 'done', REFUSED, 'done', REFUSED, 'done'],
    user: ['done', REFUSED, REFUSED, REFUSED, 'done', REFUSED, 'done', REFUSED, 'done'],
    alerts: 5,
  },
  {
    name: 'io_uring',
    operations: [['uring_open', '/etc/secret']],
    root: [REFUSED],
    user: [REFUSED],
    alerts: 1,
  },
  {
    name: 'forbidden program',
    operations: [
      ['exec', PROGRAM, '--version'],
      ['exec', LOADER, PROGRAM, '--version'],
      ['mmap', PROGRAM, 'r', 'read,exec', 'private'],
      ['mprotect_exec', PROGRAM],
      ['memfd', PROGRAM],
      ['fd_exec', '$4', 'dynamic'],
      ['link', PROGRAM, '/tmp/program'],
      ['fd_open', PROGRAM, 'path'],
      ['fd_exec', '$7', 'dynamic'],
    ],
    root: [REFUSED, 'status 127', REFUSED, REFUSED, 'done', REFUSED, REFUSED, 'done', REFUSED],
    user: [REFUSED, 'status 127', REFUSED, REFUSED, 'done', REFUSED, UNPRIVILEGED, 'done', REFUSED],
    alerts: 7,
  },
  {
    name: 'writing what may be read',
    operations: [
      ['open', '/etc/config', 'r'],
      ['mmap', '/etc/config', 'rw', 'read,write', 'shared', 'X'],
      ['open', '/etc/config', 'r,trunc'],
      ['truncate', '/etc/config', 0],
      ['chmod', '/etc/config', '666'],
      ['fd_open', '/etc/config', 'path'],
      ['fd_reopen', '$5', 'rw'],
      ['fd_open', '/etc/config', 'r'],
      ['fd_map_write', '$7', 'X'],
    ],
    root: ['done', REFUSED, REFUSED, REFUSED, REFUSED, 'done', REFUSED, 'done', REFUSED],
    user: ['done', REFUSED, REFUSED, REFUSED, REFUSED, 'done', REFUSED, 'done', REFUSED],
    // The last is refused by the kernel itself: who opened for reading alone gets no map that writes.
    alerts: 5,
  },
  {
    name: PROTOCOLS,
    operations: [
      ['socket', 'inet', 'stream', 'tcp'],
      ['socket', 'inet6', 'stream', 0],
      ['socket', 'inet', 'stream', 'mptcp'],
      ['socket', 'inet', 'stream', 256],
      ['socket', 43, 'stream', 0],
      ['socket', 'inet', 'dgram', 'udp'],
    ],
    root: [REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, 'done'],
    user: [REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, 'done'],
    alerts: 5,
  },
];
