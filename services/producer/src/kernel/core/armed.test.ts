import { KINDS } from '@alert-throttle/policy';
import { describe, expect, it } from 'vitest';
import { armedState, missingHooks, sameState, type ProgramAt } from './armed.ts';

const HOOKS = [
  ...['tp_btf/cgroup_mkdir', 'tp_btf/cgroup_rmdir', 'lsm/bprm_check_security', 'lsm/mmap_file'],
  ...['lsm/file_mprotect', 'lsm/file_open', 'lsm/file_permission', 'lsm/path_unlink', 'lsm/path_rename'],
  ...['lsm/path_link', 'lsm/path_truncate', 'lsm/socket_create', 'lsm/socket_connect', 'lsm/capable'],
  ...['lsm/file_receive', 'lsm/path_mknod', 'lsm/path_mkdir', 'lsm/path_rmdir', 'lsm/path_symlink'],
  ...['lsm/path_chmod', 'lsm/path_chown', 'lsm/sb_mount', 'lsm/move_mount', 'lsm/sb_pivotroot'],
  'lsm/socket_accept',
];

function programs(...without: string[]): ProgramAt[] {
  return HOOKS.map((hook) => {
    const attached = !without.includes(hook);
    return { hook, attached, reason: attached ? undefined : 'the kernel has no such hook' };
  });
}

describe('missingHooks', () => {
  it('finds nothing missing where every hook has its program', () => {
    expect(missingHooks(programs())).toEqual(new Map());
  });

  it('names the kind, the hook and the reason', () => {
    expect(missingHooks(programs('lsm/socket_create'))).toEqual(
      new Map([['network', 'the hook lsm/socket_create is not attached: the kernel has no such hook']]),
    );
  });

  it.each([
    ['lsm/file_receive', ['file']],
    ['lsm/path_symlink', ['file']],
    ['lsm/move_mount', ['process', 'file']],
    ['lsm/socket_accept', ['network']],
  ])('does not do without %s', (hook, kinds) => {
    expect([...missingHooks(programs(hook)).keys()]).toEqual(kinds);
  });

  it('is content with one of several hooks that do the same', () => {
    const newer: ProgramAt = { hook: 'lsm/file_truncate', attached: true, reason: undefined };
    expect(missingHooks([...programs('lsm/path_truncate'), newer])).toEqual(new Map());
  });

  it('disarms every kind where containers cannot be followed', () => {
    expect([...missingHooks(programs('tp_btf/cgroup_mkdir')).keys()]).toEqual([...KINDS]);
  });

  it('takes a hook without any program for missing', () => {
    expect(missingHooks([]).size).toBe(KINDS.length);
  });
});

describe('armedState', () => {
  it('is another one where a kind, or only the reason, has changed', () => {
    const armed = armedState(new Map());
    expect(armed).toEqual({ armed: [...KINDS], disarmed: new Map() });
    const disarmed = armedState(new Map([['file', 'a']]));
    expect(disarmed.armed).toEqual(['process', 'network', 'capability']);
    expect(sameState(undefined, armed)).toBe(false);
    expect(sameState(armed, armedState(new Map()))).toBe(true);
    expect(sameState(armed, disarmed)).toBe(false);
    expect(sameState(disarmed, armedState(new Map([['file', 'b']])))).toBe(false);
  });
});
