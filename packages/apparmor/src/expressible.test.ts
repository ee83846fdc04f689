// What no profile can say is refused by name: of the conformance vectors, exactly those that say so.
import { describe, expect, it } from 'vitest';
import { compileRuleSet, policiesFor } from '@alert-throttle/policy';
import { policiesOf, posturesOf, vectorGroups, type PolicyVector } from '@alert-throttle/policy/vectors';
import { inexpressible, type Inexpressible } from './expressible.ts';

function problemsOf(vector: PolicyVector): Inexpressible[] {
  return Object.values(vector.containers).flatMap((container) => {
    const policies = policiesFor(policiesOf(vector), container);
    if (policies.length === 0) return [];
    return inexpressible(compileRuleSet(policies, { postures: posturesOf(vector), audited: vector.audited }));
  });
}

describe.each(vectorGroups)('policy vectors: $name', ({ vectors }) => {
  it.each(vectors)('$name', (vector) => {
    const problems = problemsOf(vector);
    expect(problems.length > 0, JSON.stringify(problems)).toBe(vector.appArmor?.expect === 'refused');
    const named = new Set(vector.policies.map(({ namespace, name }) => `${namespace}/${name}`));
    for (const { policies } of problems) for (const policy of policies) expect(named).toContain(policy);
    if (vector.appArmor?.expect !== 'refused') return;
    const begin = `: ${vector.appArmor.why.slice(0, 40)}`;
    expect(problems.map(({ reason }) => reason).filter((reason) => reason.includes(begin))).not.toEqual([]);
  });
});
