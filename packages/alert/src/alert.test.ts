import { describe, expect, it } from 'vitest';
import { containerKey, isEligible, makeAlert } from './alert.ts';
import { alertType } from './schemas.ts';

describe('makeAlert', () => {
  it('fills in the defaults of the schema', () => {
    expect(makeAlert()).toEqual(alertType.clone({}));
  });

  it('keeps what is given', () => {
    expect(makeAlert({ Type: 'MatchedPolicy', PPID: 3 })).toMatchObject({
      Type: 'MatchedPolicy',
      PPID: 3,
      UID: 0,
    });
  });

  it('shares nothing between two alerts', () => {
    makeAlert().ATags.push('one');
    makeAlert().EventData['key'] = 'value';
    expect(makeAlert()).toMatchObject({ ATags: [], EventData: {} });
  });
});

describe('isEligible', () => {
  const audit = { Type: 'MatchedPolicy', Action: 'Audit', Enforcer: 'eBPF Monitor' };
  it.each([
    [audit, true],
    [{ ...audit, Type: 'MatchedHostPolicy' }, true],
    [{ ...audit, Action: 'Audit (Block)' }, true],
    [{ ...audit, Action: 'Audit (Allow)' }, true],
    [{ ...audit, Action: 'Block' }, false],
    [{ ...audit, Action: '' }, false],
    [{ ...audit, Enforcer: 'BPFLSM' }, false],
    [{ ...audit, Enforcer: 'AppArmor' }, false],
    [{ ...audit, Enforcer: '' }, false],
    [{ ...audit, Type: 'SystemEvent' }, false],
    [{ ...audit, Type: 'MatchedNetworkPolicy' }, false],
  ])('%o -> %s', (alert, eligible) => {
    expect(isEligible(alert)).toBe(eligible);
  });
});

describe('containerKey', () => {
  it('is the container id, or names the node of a host alert', () => {
    expect(containerKey({ ContainerID: 'c1', NodeID: 'n1' })).toBe('c1');
    expect(containerKey({ ContainerID: '', NodeID: 'n1' })).toBe('host:n1');
  });
});
