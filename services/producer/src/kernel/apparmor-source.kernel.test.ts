// The producer with SOURCE=kernel on a kernel that asks no BPF programs: AppArmor enforces, and what it cannot do is said.
import { runGuestOrThrow } from '@alert-throttle/guest';
import { beforeAll, describe, expect, it } from 'vitest';

const ENFORCED = { secret: 'EACCES', watched: 'ok', free: 'ok', dynamic: 'EACCES' };
const KINDS = ['process', 'file', 'network', 'capability'];
const STRAY = `${'a'.repeat(63)}1`;
const PROFILE = 'kubearmor-shop-web-web';

describe('the kernel source with AppArmor', () => {
  const reports = new Map<string, Readonly<Record<string, unknown>>>();

  beforeAll(async () => {
    const { lines } = await runGuestOrThrow({
      kernel: '6.1',
      lsm: 'landlock,lockdown,yama,integrity,apparmor',
      scenarios: [{ module: 'services/producer/scenarios/apparmor-source.ts' }],
      timeoutMs: 1_500_000,
    });
    for (const { name, data } of lines) reports.set(name, data);
  }, 1_600_000);

  const report = (name: string) => reports.get(name) ?? expect.unreachable(`no report: ${name}`);

  it('is armed after each kind of rule was tried, and has the profiles of containers that may start', () => {
    const armed = { armed: true, armedKinds: KINDS, disarmed: {}, policies: 1 };
    expect(report('started')).toMatchObject({ ...armed, containers: 1, profile: true });
    expect(report('started again')).toMatchObject({ ...armed, confinement: `${PROFILE} (enforce)` });
  });

  it('enforces in containers under their profile, also without a producer', () => {
    for (const name of ['under its profile', 'without a producer', 'after the restart'])
      expect(report(name), name).toEqual(ENFORCED);
  });

  it('follows its policies, and refuses by name what no profile can say', () => {
    expect(report('with a policy that no profile can say')).toEqual({ secret: 'EACCES' });
    expect(report('with another policy')).toEqual({ secret: 'ok' });
    expect(report('with the first policy')).toEqual({ secret: 'EACCES' });
    expect(report('alerts')['warnings']).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^b .*shop\/guard-web: Block network tcp: a profile knows the family and type/),
      ]),
    );
  });

  it('names the container that is under no profile, and enforces nothing in it', () => {
    expect(report('under none')).toEqual({ secret: 'ok', watched: 'ok', free: 'ok', dynamic: 'ok' });
    const unconfined = expect.stringMatching(/runs unconfined, not under kubearmor-shop-web-web/) as unknown;
    expect(report('named')).toEqual({ unconfined: { [STRAY]: unconfined } });
    expect(report('alerts')['warnings']).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^a Block rules are not enforced: process .* unconfined/),
      ]),
    );
  });

  it('raises one alert for each try: Block where AppArmor refused, Audit (Block) where it let through', () => {
    // As a whole: toMatchObject would let others beside them pass.
    const { confined, stray, lost } = report('alerts');
    expect({ confined, stray, lost }).toEqual({
      confined: {
        'Block File /etc/secret AppArmor Permission denied': 5,
        'Block Process /usr/bin/dynamic AppArmor Permission denied': 3,
        'Audit File /etc/secret eBPF Monitor Passed': 1,
        'Audit File /etc/watched eBPF Monitor Passed': 3,
      },
      stray: {
        'Audit (Block) File /etc/secret eBPF Monitor Passed': 1,
        'Audit (Block) Process /usr/bin/dynamic eBPF Monitor Passed': 1,
        'Audit File /etc/watched eBPF Monitor Passed': 1,
      },
      lost: 0,
    });
    expect(report('stopped')).toEqual({ code: 0 });
  });
});
