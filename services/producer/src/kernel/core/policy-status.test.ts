import { expect, it } from 'vitest';
import type { NodeContainer } from './node-container.ts';
import { policyStatus } from './policy-status.ts';

const FACTS = { pid: 7 } as Extract<NodeContainer['life'], { phase: 'running' }>['facts'];
const ENFORCED = { handle: undefined, key: 'k', policies: ['p'], rules: 1 };

function container(more: Partial<NodeContainer>): NodeContainer {
  const base = {
    cgroupId: 1n,
    known: { identity: { ContainerID: 'c1' }, subject: { namespace: 'shop' } },
    wasThere: false,
    life: { phase: 'running', facts: FACTS },
    wanted: ['p'],
    enforced: ENFORCED,
    refusedFor: undefined,
    unanswered: new Map(),
  };
  return { ...base, ...more } as unknown as NodeContainer;
}

const policy = { name: 'p', namespace: 'shop' };

it.each([
  ['no container', [], { containers: 0 }],
  ['no container', [container({ wanted: ['q'] })], { containers: 0 }],
  ['no container', [container({ life: { phase: 'leaving' } as NodeContainer['life'] })], { containers: 0 }],
  ['in force', [container({}), container({})], { containers: 2, inForce: 2, reasons: [] }],
  ['waiting', [container({}), container({ life: { phase: 'building' } })], { inForce: 1, starting: 1 }],
  ['refused', [container({ refusedFor: 'full' })], { refused: 1, reasons: ['c1: full'] }],
  ['partly', [container({}), container({ refusedFor: 'full' })], { inForce: 1, refused: 1 }],
])('%s', (state, containers, more) => {
  expect(policyStatus([policy], new Map(), containers)).toEqual([
    expect.objectContaining({ policy: 'shop/p', state, ...more }),
  ]);
});

it('says which paths nobody can follow, though the policy is in force as it is written', () => {
  const unanswered = new Map([['/mnt/a', 'no answer within 5 s']]);
  expect(policyStatus([policy], new Map(), [container({ unanswered })])).toMatchObject([
    { state: 'in force', reasons: ['c1: /mnt/a cannot be followed: no answer within 5 s'] },
  ]);
});

it('says what this node cannot enforce at all', () => {
  expect(policyStatus([policy], new Map([[policy, 'no hook']]), [container({ wanted: [] })])).toMatchObject([
    { state: 'refused', reasons: ['no hook'] },
  ]);
});
