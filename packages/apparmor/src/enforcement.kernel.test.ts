// AppArmor as the enforcer: what it refuses is heard and throttled like anything else, and what merely fails is not.
import { beforeAll, describe, expect, it } from 'vitest';
import { KERNELS, runGuestOrThrow, type GuestLine } from '@alert-throttle/guest';
import { APPARMOR_ONLY } from './testing/security-modules.ts';

type Report = GuestLine['data'];

describe.each(KERNELS)('enforcement by AppArmor, kernel %s', (kernel) => {
  let lines: readonly GuestLine[] = [];

  beforeAll(async () => {
    ({ lines } = await runGuestOrThrow({
      kernel,
      lsm: APPARMOR_ONLY,
      scenarios: [{ module: 'packages/apparmor/scenarios/enforcement.ts' }],
      timeoutMs: 1_500_000,
    }));
  }, 1_600_000);

  function report(name: string): Report {
    const line = lines.find((one) => one.name === name);
    if (line === undefined) throw new Error(`no report "${name}"`);
    return line.data;
  }

  it('emits two alerts and one threshold of five executions, and nothing after', () => {
    const { errors, events, entry } = report('five executions');
    expect(errors).toEqual(Array(5).fill('EACCES'));
    const alert = {
      PolicyName: 'policy-0',
      Operation: 'Process',
      Action: 'Block',
      Enforcer: 'lsm',
      refused: true,
    };
    expect(events).toMatchObject([
      { ...alert, Resource: '/usr/bin/busybox', Result: 'Permission denied', Severity: '7' },
      { ...alert, Resource: '/usr/bin/dynamic', Result: 'Permission denied', Severity: '7' },
      { type: 'threshold', dropped: 1, lost: 0, triggerOperation: 'exec', triggerComm: 'workload' },
    ]);
    expect(entry).toMatchObject({ matched: 5, dropped: 3, lost: 0, passedInWindow: 2 });
    expect(report('nothing after')).toMatchObject({ events: [], entry: { matched: 105, dropped: 103 } });
  });

  it('ends the window in the kernel, with its report, when the cgroup of the container is removed', () => {
    const { events, entry } = report('container gone');
    expect(events).toMatchObject([{ type: 'thresholdEnded', dropped: 103, endedBy: 'container' }]);
    expect(entry).toBeUndefined();
  });

  it('hears a quiet container beside a loud one', () => {
    expect(report('neighbours')).toEqual({
      alone: 'EACCES',
      loud: ['alert', 'alert', 'threshold'],
      quiet: ['alert'],
    });
  });

  it('counts each refusal once, from several processes at once', () => {
    expect(report('counted')).toEqual({
      failed: { EACCES: 1000 },
      alerts: 2,
      thresholds: 1,
      dropped: [998, 'container'],
      missed: '0',
    });
    const { matched, emitted, lost, dropped } = report('counters');
    expect(BigInt(String(matched))).toBe(
      BigInt(String(emitted)) + BigInt(String(lost)) + BigInt(String(dropped)),
    );
  });

  it('spends no budget on calls that fail for other reasons, and raises no alert of them', () => {
    const { outcomes, events, entry, byOthers } = report('failures');
    expect((outcomes as Record<string, number>[]).map((one) => Object.keys(one).join())).toEqual([
      'ECONNREFUSED',
      'EEXIST',
      'ENOENT',
      'ENOENT',
      'EACCES',
      'EACCES',
      'EPERM',
      'EACCES',
      'EPERM',
    ]);
    expect(events).toEqual([]);
    expect(entry).toBeUndefined();
    // What the profile itself refuses without a rule of ours.
    expect(byOthers).toBe('100');
    expect(report('heard all the same')).toEqual({ error: 'EACCES', events: ['alert'] });
  });

  it('holds a running process while its policies come and go', () => {
    expect(report('comes and goes')).toEqual({
      without: '',
      with: 'EACCES',
      gone: '',
      stillIn: 'kubearmor_stays (enforce)',
      inUse: true,
      back: 'EACCES',
      child: ['EACCES'],
      // Why a profile is not removed while somebody is in it.
      removed: { open: '', confinement: 'unconfined' },
    });
    expect(report('unused')).toEqual({ inUse: false });
  });

  it.each([
    ['unconfined', 'unconfined'],
    ['elsewhere', 'somebody-elses (enforce)'],
  ])('says what went through in a container that is not under its profile: %s', (name, confinement) => {
    expect(report(name)).toEqual({
      error: '',
      confinement,
      alerts: [{ result: 0, ring: 'audit', audited: true }],
      unenforced: '1',
    });
  });

  it('enforces in a container that runc put under its profile', () => {
    expect(report('runc')).toMatchObject({
      failed: { EACCES: 200 },
      data: 'public',
      confinement: 'kubearmor_overlay (enforce)',
      alerts: ['/etc/secret', '/etc/secret'],
      thresholds: 1,
      entry: { matched: 200, dropped: 198, lost: 0 },
    });
    expect(report('runc ended')).toEqual({ dropped: [198] });
  });

  it('refuses other ways to the same file, and says by which rule', () => {
    expect(report('ways round')).toEqual({
      link: { error: 'EACCES', alerts: ['linkFrom /etc/secret -13'] },
      rename: { error: 'EACCES', alerts: ['renameFrom /etc/secret -13'] },
      unlink: { error: 'EACCES', alerts: ['unlink /etc/secret -13'] },
      bind: { error: 'EACCES', alerts: ['mount /tmp -13'] },
      loader: { error: '', status: 127, alerts: ['mapExec /usr/bin/dynamic -13'] },
      program: { error: 'EACCES', alerts: ['exec /usr/bin/dynamic -13'] },
    });
  });
});
