/** What must hold for all policies and all accesses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRuleSet } from './compile.ts';
import { match } from './match.ts';
import { anyAccess, anyOptions, anyPolicies, anyRule, policy } from './testing/arbitraries.ts';
import { referenceMatch } from './testing/reference-match.ts';
import type { Policy } from './types.ts';

const runs = { numRuns: 1500 };

describe('the verdict, for all policies and accesses', { timeout: 60_000 }, () => {
  it('is that of the reference', () => {
    fc.assert(
      fc.property(anyPolicies, anyOptions, anyAccess, (policies, options, access) => {
        const ruleSet = compileRuleSet(policies, options);
        expect(match(ruleSet, access)).toEqual(referenceMatch(ruleSet, access));
      }),
      { numRuns: 5_000 },
    );
  });

  it('does not depend on the order of policies and rules, nor on repeats', () => {
    const shuffled = anyPolicies.chain((policies) =>
      fc.tuple(
        fc.constant(policies),
        fc.shuffledSubarray(policies, { minLength: policies.length }),
        fc.boolean(),
      ),
    );
    fc.assert(
      fc.property(shuffled, anyOptions, ([policies, others, twice], options) => {
        const reversed = others.map((one) => ({ ...one, rules: [...one.rules].reverse() }));
        const rules = compileRuleSet(policies, options);
        expect(compileRuleSet(twice ? [...reversed, ...others] : reversed, options)).toEqual(rules);
      }),
      runs,
    );
  });

  it('returns an errno where it refuses, and only there; an Allow rule raises nothing', () => {
    fc.assert(
      fc.property(anyPolicies, anyOptions, anyAccess, (policies, options, access) => {
        const { result, errno, alert, rule } = match(compileRuleSet(policies, options), access);
        expect(errno !== undefined).toBe(result === 'block');
        expect(alert !== undefined).toBe(result !== 'allow');
        expect(rule?.action === 'Allow' && alert !== undefined).toBe(false);
        expect(alert?.result === 'Passed').toBe(result === 'audit');
      }),
      runs,
    );
  });

  it('of a further Block rule never lets through what was refused', () => {
    fc.assert(
      fc.property(anyPolicies, anyRule, anyOptions, anyAccess, (policies, rule, options, access) => {
        const before = match(compileRuleSet(policies, options), access);
        const further = policy('further', [{ ...rule, action: 'Block' }]);
        const after = match(compileRuleSet([...policies, further], options), access);
        if (before.result === 'block') expect(after.result).toBe('block');
      }),
      runs,
    );
  });

  it('of a further Audit rule refuses nothing more, and leaves the silence of Allow only', () => {
    fc.assert(
      fc.property(anyPolicies, anyRule, anyOptions, anyAccess, (policies, rule, options, access) => {
        const before = match(compileRuleSet(policies, options), access);
        const further = policy('further', [{ ...rule, action: 'Audit' }]);
        const after = match(compileRuleSet([...policies, further], options), access);
        if (before.result !== 'block') expect(after.result).not.toBe('block');
        if (before.result === 'audit') expect(after.result).toBe('audit');
      }),
      runs,
    );
  });

  it('of a further Audit rule changes no refusal where a Block rule says the same', () => {
    fc.assert(
      fc.property(anyPolicies, anyRule, anyOptions, anyAccess, (policies, rule, options, access) => {
        const blocked = [...policies, policy('block', [{ ...rule, action: 'Block' }])];
        const before = match(compileRuleSet(blocked, options), access);
        const both = [...blocked, policy('audit', [{ ...rule, action: 'Audit' }])];
        expect(match(compileRuleSet(both, options), access).result).toBe(before.result);
      }),
      runs,
    );
  });

  it('of a further Allow rule refuses more by the posture only', () => {
    fc.assert(
      fc.property(anyPolicies, anyRule, anyOptions, anyAccess, (policies, rule, options, access) => {
        const before = match(compileRuleSet(policies, options), access);
        const further = policy('further', [{ ...rule, action: 'Allow' }]);
        const after = match(compileRuleSet([...policies, further], options), access);
        if (after.result === 'block' && after.rule) expect(before.result).toBe('block');
      }),
      runs,
    );
  });

  it('never refuses reading for readOnly, nor the owner for ownerOnly', () => {
    fc.assert(
      fc.property(anyPolicies, anyOptions, anyAccess, (policies, options, access) => {
        const { rule } = match(compileRuleSet(policies, options), access);
        if (rule?.action === 'Allow' || access.kind !== 'file' || !access.owner || access.write) return;
        expect(rule?.readOnly || rule?.ownerOnly).not.toBe(true);
      }),
      runs,
    );
  });

  it('of an audited pod is that of another one, but for the refusal', () => {
    fc.assert(
      fc.property(anyPolicies, anyOptions, anyAccess, (policies, { postures }, access) => {
        const verdict = (audited: boolean): ReturnType<typeof match> =>
          match(compileRuleSet(policies, { postures, audited }), access);
        const [enforced, audited] = [verdict(false), verdict(true)];
        expect(audited.errno).toBeUndefined();
        expect(audited.rule).toEqual(enforced.rule);
        expect(audited.result === 'allow').toBe(enforced.result === 'allow');
        expect(audited.alert?.action === 'Audit (Block)').toBe(enforced.result === 'block');
      }),
      runs,
    );
  });

  it('of kinds does not mix: other kinds change nothing', () => {
    fc.assert(
      fc.property(anyPolicies, anyOptions, anyAccess, (policies, options, access) => {
        const sameKind = policies.map((one): Policy => ({
          ...one,
          rules: one.rules.filter(({ kind }) => kind === access.kind),
        }));
        const [all, some] = [compileRuleSet(policies, options), compileRuleSet(sameKind, options)];
        expect(match(some, access).alert).toEqual(match(all, access).alert);
        expect(match(some, access).result).toBe(match(all, access).result);
      }),
      runs,
    );
  });
});

describe('rule sets, for all policies', { timeout: 60_000 }, () => {
  it('number rules uniquely, in range, and keep numbers when rules are added', () => {
    fc.assert(
      fc.property(anyPolicies, anyRule, anyOptions, (policies, rule, options) => {
        const { rules } = compileRuleSet(policies, options);
        const numbers = rules.map(({ number }) => number);
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(numbers.every((number) => number >= 1 && number <= 0xfffffffe)).toBe(true);
        const further = compileRuleSet(
          [...policies, policy('zzz', [{ ...rule, severity: '1' }])],
          options,
        ).rules;
        expect(rules.filter((one) => !further.some((other) => other.number === one.number))).toEqual([]);
      }),
      runs,
    );
  });

  it('have equal keys where they are equal, and only there', () => {
    fc.assert(
      fc.property(
        anyPolicies,
        anyOptions,
        anyPolicies,
        anyOptions,
        (policies, options, others, otherOptions) => {
          const [one, other] = [compileRuleSet(policies, options), compileRuleSet(others, otherOptions)];
          const { key, ...content } = one;
          const { key: otherKey, ...otherContent } = other;
          expect(key === otherKey).toBe(JSON.stringify(content) === JSON.stringify(otherContent));
        },
      ),
      runs,
    );
  });
});
