import { describe, expect, it } from 'vitest';
import type { KernelReport } from './kernel.ts';
import { kernelJson, kernelText } from './kernel-text.ts';

const interval = {} as KernelReport['throttleMap'][number]['intervals'][number];

function entry(container: bigint, more: Partial<KernelReport['throttleMap'][number]> = {}) {
  return {
    container,
    openedAtNs: 1n,
    throttledUntilNs: 0n,
    passedInWindow: 1,
    profile: 0,
    removed: false,
    matched: 50,
    dropped: 40,
    lost: 1,
    containers: 0,
    intervals: [],
    ...more,
  };
}

const report: KernelReport = {
  pinDir: '/sys/fs/bpf/alert-throttle',
  nowBootNs: 100_000_000_000n,
  throttleMap: [
    entry(7n, { throttledUntilNs: 130_000_000_000n, intervals: [interval] }),
    entry(8n, { dropped: 2, throttledUntilNs: 90_000_000_000n, intervals: [interval] }),
    entry(0n, { dropped: 1, containers: 3 }),
  ],
  cgroups: new Map([[7n, '/system.slice/docker-a4e3.scope']]),
  counters: { matched: 150n, emitted: 100n, lost: 3n, dropped: 47n } as KernelReport['counters'],
  rings: {
    enforcement: { number: 60n, emitted: 57n, lost: 3n },
    audit: { number: 0n, emitted: 0n, lost: 0n },
  },
  programs: [
    {
      name: 'at_file_open',
      hook: 'lsm/file_open',
      attached: true,
      reason: undefined,
      recursionMisses: 4n,
      runCount: 0n,
      runTimeNs: 0n,
    },
    {
      name: 'at_file_trunc',
      hook: 'lsm/file_truncate',
      attached: false,
      reason: 'this kernel has no such hook',
      recursionMisses: 0n,
      runCount: 0n,
      runTimeNs: 0n,
    },
  ],
  limits: { alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30 },
  producer: {
    url: 'http://127.0.0.1:9465/readyz',
    kernel: {
      armed: false,
      armedKinds: ['process', 'file'],
      disarmed: { network: 'socketCreate ended with passed, not EACCES' },
      containers: 2,
      starting: 0,
      waiting: 0,
      policies: 1,
      policiesRefused: 1,
      refused: { 'bad.yaml': ['bad.yaml:2: is no plain YAML'] },
      held: 1,
      policyStatus: [
        {
          ...{ policy: 'shop/guard', state: 'partly', containers: 3, inForce: 1, starting: 1, refused: 1 },
          reasons: ['a4e3: map rules is full'],
        },
      ],
    },
  },
};

describe('alertctl kernel', () => {
  const text = kernelText(report);

  it('says what is armed, what is not and why, and which files are refused', () => {
    expect(text).toContain('node NOT ARMED: 1 policy in force, 2 containers');
    expect(text).toMatch(/^process +armed$/m);
    expect(text).toMatch(/^network +NOT ARMED +socketCreate ended with passed, not EACCES$/m);
    expect(text).toContain('refused: bad.yaml: bad.yaml:2: is no plain YAML');
  });

  it('says of each policy where it is in force, and why not elsewhere', () => {
    expect(text).toMatch(/^shop\/guard +partly +3 +1 +1 +1 +a4e3: map rules is full$/m);
    expect(text).toContain('1 container held until its rules are in force');
  });

  it('says so where the producer does not answer', () => {
    const producer = { kernel: undefined, url: 'http://127.0.0.1:9465/readyz', problem: 'ECONNREFUSED' };
    expect(kernelText({ ...report, producer })).toContain(
      'armed: not known, the producer at http://127.0.0.1:9465/readyz does not answer (ECONNREFUSED)',
    );
  });

  it('shows the throttle map, the most dropped first, with what it knows of each', () => {
    expect(text).toContain('limits: 10 alerts per second, then 30 s');
    expect(text).toMatch(/^7 +docker-a4e3\.scope +throttled +30 s +50 +40 +1$/m);
    expect(text).toMatch(/^8 +gone +report due +50 +2 +1$/m);
    expect(text).toMatch(/^0 +shared by 3 containers, as the map is full +open +50 +1 +1$/m);
    expect(text.indexOf('docker-a4e3')).toBeLessThan(text.indexOf('gone'));
  });

  it('shows counters, rings and programs', () => {
    expect(text).toMatch(/^matched +150$/m);
    expect(text).toMatch(/^enforcement +60 +57 +3$/m);
    expect(text).toMatch(/^at_file_open +lsm\/file_open +attached +4$/m);
    expect(text).toMatch(
      /^at_file_trunc +lsm\/file_truncate +not attached: this kernel has no such hook +0$/m,
    );
  });

  it('leaves out the hooks of programs where they are not known', () => {
    const programs = report.programs.map((program) => ({ ...program, hook: '' }));
    expect(kernelText({ ...report, programs })).toMatch(/^at_file_open +attached +4$/m);
  });

  it('is JSON on demand, with cgroup ids as text', () => {
    expect(kernelJson(report)).toMatchObject({
      armed: false,
      throttleMap: [
        { container: '7', cgroup: '/system.slice/docker-a4e3.scope', state: 'throttled' },
        { container: '8', cgroup: null, state: 'report due' },
        { container: '0', state: 'open' },
      ],
    });
  });
});
