// The known ways round one Block rule where AppArmor enforces it, from inside a container on a real kernel: what each step
// came to, and that whatever AppArmor lets through although a rule names it is at least told of.
import { beforeAll, describe, expect, it } from 'vitest';
import {
  ATTACKS,
  PROTOCOLS,
  RENAME_ABOVE,
  type Attack,
} from '../../kernel/scenarios/enforcement/attack-list.ts';
import { ATTACKED, tryAttacks, type Attacked, type AttackReports } from '../../kernel/src/testing/attacks.ts';
import { APPARMOR_ONLY } from './testing/security-modules.ts';

const REFUSED = 'EACCES';

interface Outcome extends Pick<Attack, 'root' | 'user' | 'alerts'> {
  /** Alerts of what went through against a rule. Default: 0. */
  readonly passed?: number;
  /** Whether what the attack is about was read. Default: false. */
  readonly secret?: boolean;
}

/** Where AppArmor comes to something else than the table says; docs/apparmor.md has the reasons. */
const DIFFERENT: Readonly<Record<string, Readonly<Partial<Record<Attacked, Outcome>>>>> = {
  'clone of a mount that is mounted nowhere': {
    namespaces: {
      root: ['done', 'done', 'done', 'done'],
      user: ['done', 'done', 'done', 'done'],
      ...{ alerts: 0, passed: 1 },
    },
    runc: {
      root: ['done', 'done', REFUSED, 'done'],
      user: ['done', 'done', REFUSED, 'done'],
      alerts: 1,
    },
  },
  'deep and long paths': both({
    root: [REFUSED, REFUSED, REFUSED, 'done', 'done'],
    user: [REFUSED, REFUSED, REFUSED, 'done', 'done'],
    ...{ alerts: 3, passed: 1, secret: true },
  }),
  'forbidden program': {
    namespaces: {
      root: [REFUSED, 'status 127', REFUSED, REFUSED, 'done', 'status 126', REFUSED, 'done', REFUSED],
      user: [REFUSED, 'status 127', REFUSED, REFUSED, 'done', 'status 126', 'EPERM', 'done', REFUSED],
      ...{ alerts: 8, passed: 1 },
    },
    runc: {
      root: [REFUSED, 'status 127', REFUSED, 'done', 'done', 'status 126', REFUSED, 'done', REFUSED],
      user: [REFUSED, 'status 127', REFUSED, 'done', 'done', 'status 126', 'EPERM', 'done', REFUSED],
      ...{ alerts: 7, passed: 2 },
    },
  },
  'writing what may be read': both({
    root: ['done', REFUSED, REFUSED, REFUSED, REFUSED, 'done', REFUSED, 'done', REFUSED],
    user: ['done', REFUSED, REFUSED, REFUSED, REFUSED, 'done', REFUSED, 'done', REFUSED],
    // AppArmor is asked about the map before the kernel refuses it itself.
    alerts: 6,
  }),
  // The second time, what root has renamed is not there any more.
  [RENAME_ABOVE]: {
    namespaces: {
      root: ['done', 'done', 'ENOENT', 'ENOENT', REFUSED, 'ENOENT'],
      user: ['ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', REFUSED, 'ENOENT'],
      ...{ alerts: 1, passed: 2 },
    },
    runc: {
      root: ['done', 'EXDEV', 'ENOENT', 'ENOENT', REFUSED, 'done'],
      user: ['ENOENT', REFUSED, 'ENOENT', 'ENOENT', REFUSED, 'done'],
      ...{ alerts: 1, passed: 2, secret: true },
    },
  },
};

function both(outcome: Outcome): Readonly<Record<Attacked, Outcome>> {
  return { namespaces: outcome, runc: outcome };
}

function expectedOf(attack: Attack, kind: Attacked): Outcome {
  return DIFFERENT[attack.name]?.[kind] ?? (kind === 'runc' ? attack.runc : undefined) ?? attack;
}

describe('attacks on one rule by AppArmor', () => {
  let data: AttackReports;

  beforeAll(async () => {
    data = await tryAttacks('packages/apparmor/scenarios/attacks.ts', { lsm: APPARMOR_ONLY });
  }, 1_000_000);

  describe.each(ATTACKED)('container of %s', (kind) => {
    describe.each([
      ['root', 0],
      ['user', 1000],
    ] as const)('as %s', (who, uid) => {
      it.each(ATTACKS.filter(({ name }) => name !== PROTOCOLS))('$name', (attack) => {
        const found = data(kind, 'attack').find((one) => one['name'] === attack.name && one['uid'] === uid);
        const { alerts, passed = 0, secret = false, ...expected } = expectedOf(attack, kind);
        expect(found).toMatchObject({ results: expected[who], secret });
        // Permissions refuse a user before a rule does; such refusals are no alerts.
        if (who === 'root') expect(found).toMatchObject({ refusals: alerts, passed });
        expect(Number(found?.['refusals'])).toBeLessThanOrEqual(alerts);
      });
    });

    it('leaves open what is said to be open, and nothing was written', () => {
      expect(data(kind, 'known to be open')).toEqual([{ 'descriptor of before': true, copy: true }]);
      expect(data(kind, 'files at the end')).toEqual([{ config: 'configuration' }]);
    });
  });
});
