// Ways round the rules that were open once, tried in a kernel: they stay closed, and what they resemble stays allowed.
import { beforeAll, describe, expect, it } from 'vitest';
import { runGuestOrThrow } from '@alert-throttle/guest';

const REFUSED = 'EACCES';

describe('attacks', () => {
  const seen = new Map<string, Readonly<Record<string, unknown>>>();

  beforeAll(async () => {
    const { lines } = await runGuestOrThrow({
      kernel: '6.1',
      scenarios: [{ module: 'packages/kernel/scenarios/enforcement/attacks.ts' }],
      timeoutMs: 600_000,
    });
    for (const { name, data } of lines) seen.set(name, data);
  });

  it.each([
    ['cgroup made early', [REFUSED], 1],
    ['directory of programs', [REFUSED, REFUSED, REFUSED, 'done'], 3],
    ['exchange of programs', [REFUSED, 'done'], 1],
    ['mount into what is allowed', [REFUSED], 1],
    ['privileged mount into what is allowed', ['done', 'done', REFUSED], 1],
    ['no path', [REFUSED, REFUSED, REFUSED], 3],
    ['fail closed', ['done', REFUSED, 'done'], 1],
    ['last component alone', [REFUSED, REFUSED, 'done'], 2],
    ['append', ['done', REFUSED], 1],
    // The one that only reads is refused by the kernel itself, which is no alert.
    ['mapped later', [REFUSED, REFUSED, 'done', 'secret'], 1],
  ])('%s', (name, results, alerts) => {
    expect(seen.get(name)).toEqual({ results, alerts });
  });

  it('keeps what is pinned where it is', () => {
    expect(seen.get('pins')).toEqual({ results: [REFUSED, REFUSED, REFUSED] });
  });

  it('refuses our maps and programs to every container, throttles its attempts, and leaves those of others alone', () => {
    const attempt = {
      good: 0,
      failed: { [REFUSED]: 500 },
      events: [...Array<string>(5).fill('tampering'), 'threshold'],
      by: ['/usr/bin/workload'],
    };
    expect(seen.get('attempts')).toEqual({
      results: [
        { name: 'settings', ...attempt, what: [1] },
        { name: 'own_links', ...attempt, what: [1] },
        { name: 'at_file_open', ...attempt, what: [2] },
        { name: 'other', good: 500, failed: {}, events: [], what: [], by: [] },
      ],
    });
  });

  it('a container keeps its cgroups when there is no room for all', () => {
    expect(seen.get('more cgroups than fit')).toEqual({
      ...{ error: REFUSED, alerts: 1, others: [REFUSED, REFUSED, REFUSED] },
    });
  });

  it('refuses all to a container without the rules that it should have, where the node fails closed', () => {
    expect(seen.get('closed as a whole')).toEqual({
      results: [REFUSED, REFUSED, REFUSED, REFUSED],
      alerts: expect.any(Number) as number,
      otherwise: true,
    });
    expect(seen.get('closed as a whole')?.['alerts']).toBeGreaterThanOrEqual(4);
  });
});
