// Every known way round one Block rule, tried from inside a container on a real kernel: what each step came to, that the
// secret was never read, and that what a rule refused was told of.
import { beforeAll, describe, expect, it } from 'vitest';
import { runGuestOrThrow, type GuestLine } from '@alert-throttle/guest';
import { ATTACKS } from '../scenarios/enforcement/attack-list.ts';
import { ATTACKED, tryAttacks, type AttackReports } from './testing/attacks.ts';

const SCENARIOS = 'packages/kernel/scenarios/enforcement';
const REFUSED = 'EACCES';
/** What the kernel itself refuses to those who may not. */
const FORBIDDEN = 'EPERM';

describe('attacks on one rule', () => {
  let data: AttackReports;

  beforeAll(async () => {
    data = await tryAttacks(`${SCENARIOS}/attack-table.ts`);
  }, 1_000_000);

  describe.each(ATTACKED)('container of %s', (kind) => {
    describe.each([
      ['root', 0],
      ['user', 1000],
    ] as const)('as %s', (who, uid) => {
      it.each(ATTACKS)('$name', (attack) => {
        const found = data(kind, 'attack').find((one) => one['name'] === attack.name && one['uid'] === uid);
        const { alerts, ...expected } = (kind === 'runc' ? attack.runc : undefined) ?? attack;
        expect(found).toMatchObject({ results: expected[who], secret: false });
        // Permissions refuse a user before a rule does; such refusals are no alerts.
        if (who === 'root') expect(found?.['refusals']).toBe(alerts);
        expect(Number(found?.['refusals'])).toBeLessThanOrEqual(alerts);
      });
    });

    it('leaves open what is said to be open, and nothing was written', () => {
      expect(data(kind, 'known to be open')).toEqual([{ 'descriptor of before': true, copy: true }]);
      expect(data(kind, 'files at the end')).toEqual([{ config: 'configuration' }]);
    });
  });
});

describe('attacks that live on time and on others', () => {
  const seen = new Map<string, GuestLine['data']>();

  beforeAll(async () => {
    const { lines } = await runGuestOrThrow({
      kernel: '6.1',
      scenarios: [{ module: `${SCENARIOS}/attack-races.ts` }],
      cpus: 4,
      timeoutMs: 900_000,
    });
    for (const { name, data } of lines) seen.set(name, data);
  }, 1_000_000);

  it('renames on all sides open nothing, and keep nobody from what is free', () => {
    const tried = 4 * 1500;
    expect(seen.get('renames')).toMatchObject({
      results: {
        '/etc/secret': { good: 0, reasons: [REFUSED] },
        '/srv/vault/a/key': { good: 0, reasons: [REFUSED] },
        '/tmp/link/secret': { good: 0 },
        '/opt/public': { good: tried, reasons: [] },
      },
      retried: true,
    });
  });

  it('at no moment between two rule sets is there none', () => {
    expect(seen.get('replaced rules')).toEqual({ good: 0, reasons: [REFUSED], enough: true });
  });

  it('nobody in a container gets hold of maps and programs', () => {
    const { tries, counts } = seen.get('our objects') as {
      readonly tries: Readonly<Record<string, readonly string[]>>;
      readonly counts: readonly boolean[];
    };
    expect(counts).toEqual([true, true, true, true]);
    expect(tries).toEqual({
      'map, uid 0': [REFUSED],
      'program, uid 0': [REFUSED],
      'link, uid 0': [REFUSED],
      'pin of a map, uid 0': [REFUSED],
      'pin of a program, uid 0': [REFUSED],
      // Known to be open, and of no use: a link to such a program can be looked at, not detached.
      'pin of a link, uid 0': [''],
      'map, uid 1000': [FORBIDDEN],
      'program, uid 1000': [FORBIDDEN],
      'link, uid 1000': [REFUSED],
      'pin of a map, uid 1000': [REFUSED],
      'pin of a program, uid 1000': [REFUSED],
      'pin of a link, uid 1000': [REFUSED],
    });
  });

  it('the producer is out of reach, but for root of a container with the pids and the capabilities of the host', () => {
    const gone = ['ESRCH', 'ESRCH', 'ESRCH', 'ESRCH'];
    const forbidden = [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN];
    expect(seen.get('producer')).toEqual({
      results: {
        'own pids, uid 0': gone,
        'own pids, uid 1000': gone,
        'pids of the host, uid 0': ['done', 'EFAULT', 'done', 'done'],
        'pids of the host, uid 1000': forbidden,
      },
    });
  });

  it("files of another container in the pod are that container's, unless the rule is on both", () => {
    expect(seen.get('same pod')).toEqual({ without: 'the-secret', withRule: REFUSED, itself: REFUSED });
  });
});
