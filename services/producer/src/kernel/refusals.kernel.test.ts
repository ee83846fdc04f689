// The producer with SOURCE=kernel on a kernel that asks neither BPF programs nor AppArmor: not armed, and it says so.
import { EXIT_CONFIG } from '@alert-throttle/config';
import { runGuestOrThrow } from '@alert-throttle/guest';
import { beforeAll, describe, expect, it } from 'vitest';

describe('the kernel source without bpf and apparmor in lsm=', () => {
  const reports = new Map<string, Readonly<Record<string, unknown>>>();

  beforeAll(async () => {
    const { lines } = await runGuestOrThrow({
      kernel: '6.1',
      lsm: 'landlock,lockdown,yama',
      scenarios: [{ module: 'services/producer/scenarios/refusals.ts' }],
      timeoutMs: 1_200_000,
    });
    for (const { name, data } of lines) reports.set(name, data);
  }, 1_300_000);

  const report = (name: string) => reports.get(name) ?? expect.unreachable(`no report: ${name}`);

  it.each([
    ['auto', 'NO_ENFORCER', 'neither bpf nor apparmor', 'apparmor,bpf'],
    ['bpflsm', 'NO_BPF_LSM', 'without bpf', 'bpf'],
    ['apparmor', 'NO_APPARMOR', 'without apparmor', 'apparmor'],
  ])('ends with ENFORCER=%s, and names what to boot with', (enforcer, code, missing, wanted) => {
    const { status, said } = report(enforcer) as { status: number; said: string };
    expect(status).toBe(EXIT_CONFIG);
    expect(EXIT_CONFIG).toBe(78);
    // The modules that are on stay on, in whatever order.
    const boot = `Boot with lsm=(?=\\S*landlock)(?=\\S*lockdown)(?=\\S*yama)(?=\\S*integrity)\\S*,${wanted}\\.`;
    expect(said).toMatch(
      new RegExp(`^producer: SOURCE=kernel cannot start \\(${code}\\): .*${missing}.*${boot}\\n$`),
    );
    expect(said).not.toMatch(/\barmed\b/);
  });

  it('attaches nothing, and never says that the node is armed', () => {
    expect(report('left')).toEqual({ pinned: false, records: 0 });
  });
});
