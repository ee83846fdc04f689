// The producer with SOURCE=kernel on a real kernel: what it enforces and reports, across a kill, from the first container
// to `alertctl kernel detach`.
import { runGuestOrThrow } from '@alert-throttle/guest';
import { beforeAll, describe, expect, it } from 'vitest';

const TRIED = { secret: 'EACCES', watched: 'ok', free: 'ok', dynamic: 'EACCES', udp: 'EACCES' };
const KINDS = ['process', 'file', 'network', 'capability'];

describe('the kernel source', () => {
  const reports = new Map<string, Readonly<Record<string, unknown>>>();

  beforeAll(async () => {
    const scenarios = [{ module: 'services/producer/scenarios/kernel-source.ts' }];
    const { lines } = await runGuestOrThrow({ kernel: '6.1', scenarios, timeoutMs: 1_500_000 });
    for (const { name, data } of lines) reports.set(name, data);
  }, 1_600_000);

  const report = (name: string) => reports.get(name) ?? expect.unreachable(`no report: ${name}`);

  it('says that the node is armed after each kind of rule was tried, also when it takes over', () => {
    const armed = { armed: true, armedKinds: KINDS, disarmed: {}, policies: 1, policiesRefused: 0 };
    expect(report('started')).toMatchObject({ ...armed, containers: 2 });
    expect(report('started again')).toMatchObject(armed);
  });

  it('enforces in containers that were there, in new ones, and without a producer', () => {
    expect(report('container that was there')).toEqual(TRIED);
    expect(report('new container')).toEqual(TRIED);
    expect(report('without a producer')).toEqual(TRIED);
    expect(report('flood')).toMatchObject({ good: 0, failed: { EACCES: 50 } });
  });

  it('leaves no rule out for a moment while it starts again, with labels read and policies still to be read', () => {
    const { outcomes } = report('while it started again') as { outcomes: Record<string, number> };
    expect(Object.keys(outcomes)).toEqual(['EACCES']);
    expect(outcomes['EACCES']).toBeGreaterThan(100);
  });

  it('counts each try of that time once: as an alert, or in a report', () => {
    const { outcomes, counted } = report('while it started again') as {
      outcomes: Record<string, number>;
      counted: { matched: number; dropped: number; lost: number };
    };
    expect(counted).toMatchObject({ matched: outcomes['EACCES'], lost: 0 });
    expect(report('while it started again: alerts')).toEqual({
      alerts: counted.matched - counted.dropped,
      reported: counted.dropped,
    });
  });

  it('follows its policies, and keeps the last ones that can be used', () => {
    expect(report('with a broken policy')).toEqual({ secret: 'EACCES' });
    expect(report('with another policy')).toEqual({ secret: 'ok' });
    expect(report('with the first policy')).toEqual({ secret: 'EACCES' });
  });

  it('makes complete alerts', () => {
    const common = {
      Action: 'Block',
      Result: 'Permission denied',
      Enforcer: 'BPFLSM',
      PolicyName: 'guard-web',
      Source: '/usr/bin/workload',
      Severity: '7',
      PodName: 'web-0',
      Labels: 'app=web,tier=front',
    };
    const socket = 'domain=AF_INET type=SOCK_DGRAM protocol=UDP';
    expect(report('container that was there: alerts')).toMatchObject({
      audits: 1,
      first: [
        { ...common, Operation: 'File', Resource: '/etc/secret', Data: 'lsm=FILE_OPEN' },
        { ...common, Operation: 'Process', Resource: '/usr/bin/dynamic', Data: 'lsm=SECURITY_BPRM_CHECK' },
        { ...common, Operation: 'Network', Resource: socket, Data: `lsm=SOCKET_CREATE ${socket}` },
      ],
    });
  });

  it('lets a flood become a few alerts, one threshold event and one report, and loses count of none', () => {
    const { emitted, dropped, crossings, ended } = report('container that was there: alerts') as {
      emitted: number;
      dropped: number;
      crossings: number;
      ended: Record<string, unknown>[];
    };
    expect(emitted + dropped).toBe(3 + 50);
    expect(crossings).toBe(ended.length);
    expect(ended[0]).toMatchObject({
      EndedBy: 'expired',
      LimitsVersion: 'on-5-2',
      LostAlerts: 0,
      Trigger: { PolicyName: 'guard-web', Resource: '/etc/secret' },
    });
  });

  it('has the rules of a new container in force before its first program, and says which of them miss', () => {
    expect(report('new container: alerts')).toMatchObject({
      exposed: { Policies: 'guard-web', ExecToEnforcedMs: '0.000' },
      warnings: expect.arrayContaining([{ Path: '/bin/cat', Target: '/usr/bin/busybox' }]) as unknown,
      identity: { PodName: 'web-1', Operation: 'Network' },
    });
  });

  it('holds a new container until its rules are in force, and thaws what a killed producer has left frozen', () => {
    expect(report('new container: alerts')).toMatchObject({
      exposed: { HeldMs: expect.stringMatching(/^\d+\.\d{3}$/) as string },
    });
    expect(report('left frozen by a kill')).toEqual({ before: '1', after: '0' });
  });

  it('tells after a kill what happened meanwhile, each thing once and under its container', () => {
    expect(report('new container: alerts')['withoutProducer']).toEqual([
      'Audit File /etc/watched',
      'Block File /etc/secret',
      'Block Network domain=AF_INET type=SOCK_DGRAM protocol=UDP',
      'Block Process /usr/bin/dynamic',
    ]);
    expect(report('records')).toMatchObject({ inOrder: true, strangers: 0, lost: 0 });
  });

  it('ends each container with its tombstone', () => {
    expect(report('records')).toMatchObject({ endsWithTombstone: [true, true] });
  });

  it('shows itself in alertctl, stays when it ends, and is taken down on demand', () => {
    const { status, out } = report('alertctl') as { status: number; out: string };
    expect(status).toBe(0);
    expect(out).toContain('node armed: 1 policy in force, 3 containers');
    expect(out).toMatch(/^shop\/guard-web +in force +3 +3 +0 +0$/m);
    expect(out).toMatch(/at_bprm_check_security +attached/);
    expect(report('stopped')).toEqual({ code: 0 });
    expect(report('detached')).toMatchObject({
      status: 0,
      out: expect.stringContaining('no policy is enforced') as string,
    });
  });
});
