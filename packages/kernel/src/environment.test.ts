import { describe, expect, test } from 'vitest';
import { checkEnvironment, chooseEnforcer, readEnvironment, type EnvironmentFacts } from './environment.ts';
import type { KernelCode } from './errors.ts';

const places = { pinDir: '/sys/fs/bpf/alert-throttle', cgroupRoot: '/sys/fs/cgroup' };
const [OVERRIDE, SEARCH, PTRACE] = [1n << 1n, 1n << 2n, 1n << 19n] as const;
const [ADMIN, PERFMON, BPF] = [1n << 21n, 1n << 38n, 1n << 39n] as const;
const good: EnvironmentFacts = {
  btf: true,
  lsm: 'lockdown,capability,landlock,yama,apparmor,bpf\n',
  lockdown: 'none [integrity] confidentiality\n',
  cgroupFs: 0x63677270,
  pinFs: 0xcafe4a11,
  pinRoot: false,
  capabilities: SEARCH | PTRACE | PERFMON | BPF,
  pidNs: 0xeffffffc,
  cgroupNs: 0xeffffffb,
};

function refusal(facts: Partial<EnvironmentFacts>): unknown {
  try {
    checkEnvironment({ ...good, ...facts }, places);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('what enforces', () => {
  test.each([
    ['bpflsm', 'lockdown,capability,yama,apparmor,bpf\n'],
    ['bpflsm', 'capability,bpf'],
    ['apparmor', 'lockdown,capability,landlock,yama,apparmor\n'],
  ])('is %s by itself with %j', (enforcer, lsm) => {
    expect(chooseEnforcer(lsm)).toBe(enforcer);
  });

  test('is nothing where neither module is on, which is said with what would help', () => {
    expect(() => chooseEnforcer('capability,selinux')).toThrow(
      expect.objectContaining({
        code: 'NO_ENFORCER',
        message: 'the active security modules are capability,selinux; neither bpf nor apparmor is among them',
        hint: 'Boot with lsm=selinux,integrity,apparmor,bpf.',
      }),
    );
  });
});

describe('the environment', () => {
  test('wider capabilities stand for narrower ones, and lockdown is not in every kernel', () => {
    expect(refusal({})).toBeUndefined();
    expect(refusal({ capabilities: ADMIN | PTRACE | SEARCH })).toBeUndefined();
    expect(refusal({ capabilities: ADMIN | PTRACE | OVERRIDE })).toBeUndefined();
    expect(refusal({ lockdown: undefined })).toBeUndefined();
  });

  test.each<[KernelCode, string, Partial<EnvironmentFacts>]>([
    ['NO_PERMISSION', 'lacks CAP_PERFMON', { capabilities: SEARCH | BPF | PTRACE }],
    ['NO_PERMISSION', 'lacks CAP_BPF', { capabilities: SEARCH | PERFMON | PTRACE }],
    ['NO_PERMISSION', 'lacks CAP_SYS_PTRACE', { capabilities: SEARCH | BPF | PERFMON | ADMIN }],
    ['NO_PERMISSION', 'lacks CAP_DAC_READ_SEARCH', { capabilities: BPF | PERFMON | PTRACE | ADMIN }],
    [
      'NO_PERMISSION',
      'CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE and CAP_PERFMON and CAP_BPF',
      { capabilities: 0n },
    ],
    ['NO_BTF', '/sys/kernel/btf/vmlinux', { btf: false }],
    ['LOCKDOWN', 'confidentiality', { lockdown: 'none integrity [confidentiality]\n' }],
    ['NO_BPF_LSM', 'without bpf', { lsm: 'lockdown,capability,yama,apparmor' }],
    ['NO_BPF_LSM', '/sys/kernel/security/lsm', { lsm: undefined }],
    ['NO_CGROUP2', '/sys/fs/cgroup', { cgroupFs: 0x01021994 }],
    ['NO_BPFFS', '/sys/fs/bpf/alert-throttle', { pinFs: 0x62656572 }],
    ['NO_BPFFS', '/sys/fs/bpf/alert-throttle', { pinFs: undefined }],
    ['BAD_PIN_DIR', 'root of the BPF filesystem', { pinRoot: true }],
    ['NO_HOST_NAMESPACE', 'pid namespace', { pidNs: 0xf0000001 }],
    ['NO_HOST_NAMESPACE', 'cgroup namespace', { cgroupNs: 0xf0000001 }],
    ['NO_HOST_NAMESPACE', 'pid namespace', { pidNs: undefined }],
  ])('%s names %s', (code, named, facts) => {
    expect(refusal(facts)).toMatchObject({ code, message: expect.stringContaining(named) as string });
  });

  test('the hint for a missing bpf says what to boot with', () => {
    expect(refusal({ lsm: 'lockdown,capability,yama\n' })).toMatchObject({
      hint: 'Boot with lsm=lockdown,yama,integrity,bpf.',
    });
  });

  test('the root of a mounted filesystem is told from a folder in it', () => {
    expect(readEnvironment({ pinDir: '/proc', cgroupRoot: '/proc' }).pinRoot).toBe(true);
    expect(readEnvironment({ pinDir: '/proc/self', cgroupRoot: '/proc' }).pinRoot).toBe(false);
    expect(readEnvironment({ pinDir: '/proc/not-there', cgroupRoot: '/proc' }).pinRoot).toBe(false);
  });

  test('facts of this machine are read, whatever they are', () => {
    const facts = readEnvironment({ pinDir: '/tmp/not-there/nor-this', cgroupRoot: '/proc' });
    expect(facts.cgroupFs).toBe(0x9fa0);
    expect(facts.pinFs).toBeTypeOf('number');
    expect(facts.capabilities).toBeGreaterThanOrEqual(0n);
  });
});
