// Which kinds of rules are enforced on this node, as far as that is proven; and what is to be said when that changes.
import { KINDS, type Kind } from '@alert-throttle/policy';

export interface ArmedState {
  readonly armed: readonly Kind[];
  /** With the reason. */
  readonly disarmed: ReadonlyMap<Kind, string>;
}

/** Hooks without which a kind of rule has a hole. Where a kernel has one of several that do the same, they stand together. */
export type KindHooks = Readonly<Record<Kind, readonly (readonly string[])[]>>;

/** Without these a container gives files other names than rules know. */
const NAMES = [['lsm/sb_mount'], ['lsm/move_mount'], ['lsm/sb_pivotroot']];

export const BPF_LSM_HOOKS: KindHooks = {
  process: [['lsm/bprm_check_security'], ['lsm/mmap_file'], ['lsm/file_mprotect'], ...NAMES],
  file: [
    ['lsm/file_open'],
    ['lsm/file_permission'],
    ['lsm/path_unlink'],
    ['lsm/path_rename'],
    ['lsm/path_link', 'lsm/inode_link'],
    ['lsm/path_truncate', 'lsm/file_truncate'],
    ['lsm/file_receive'],
    ['lsm/mmap_file'],
    ['lsm/path_mknod'],
    ['lsm/path_mkdir'],
    ['lsm/path_rmdir'],
    ['lsm/path_symlink'],
    ['lsm/path_chmod'],
    ['lsm/path_chown'],
    ...NAMES,
  ],
  network: [['lsm/socket_create'], ['lsm/socket_connect'], ['lsm/socket_accept']],
  capability: [['lsm/capable']],
};

/** Where AppArmor refuses: without these, its refusals are not heard of. */
export const APPARMOR_HOOKS: KindHooks = {
  process: [
    ['fexit/apparmor_bprm_creds_for_exec'],
    ['fexit/security_bprm_check'],
    ['fexit/apparmor_mmap_file'],
  ],
  file: [
    ['fexit/apparmor_file_open'],
    ['fexit/security_file_open'],
    ['fexit/apparmor_path_unlink'],
    ['fexit/apparmor_path_rename'],
    ['fexit/apparmor_path_link'],
    ['fexit/apparmor_path_truncate', 'fexit/apparmor_file_truncate'],
  ],
  network: [['fexit/apparmor_socket_create'], ['fexit/apparmor_socket_connect']],
  capability: [['fexit/apparmor_capable']],
};

/** Without these a container's cgroups below its own are not its own. */
const COMMON_HOOKS = [['tp_btf/cgroup_mkdir'], ['tp_btf/cgroup_rmdir']];

export interface ProgramAt {
  readonly hook: string;
  readonly attached: boolean;
  readonly reason: string | undefined;
}

/** Kinds that cannot be enforced, since a hook that they need has no program. */
export function missingHooks(
  programs: readonly ProgramAt[],
  hooks: KindHooks = BPF_LSM_HOOKS,
): Map<Kind, string> {
  const missing = new Map<Kind, string>();
  for (const kind of KINDS) {
    for (const alternatives of [...COMMON_HOOKS, ...hooks[kind]]) {
      const there = programs.filter(({ hook }) => alternatives.includes(hook));
      if (there.some(({ attached }) => attached)) continue;
      const reason = there.find((program) => program.reason !== undefined)?.reason ?? 'it has no program';
      missing.set(kind, `the hook ${alternatives.join(' or ')} is not attached: ${reason}`);
      break;
    }
  }
  return missing;
}

export function armedState(failures: ReadonlyMap<Kind, string>): ArmedState {
  return { armed: KINDS.filter((kind) => !failures.has(kind)), disarmed: failures };
}

/** Reasons are part of it: an operator wants to know that there is another one now. */
export function sameState(left: ArmedState | undefined, right: ArmedState): boolean {
  return left !== undefined && textOf(left) === textOf(right);
}

function textOf({ disarmed }: ArmedState): string {
  return JSON.stringify(KINDS.map((kind) => disarmed.get(kind) ?? null));
}
