/** Runs the conformance vectors of the verdict against the pure matcher. */
import { describe, expect, it } from 'vitest';
import { compileRuleSet } from './compile.ts';
import { judge, type Outcome } from './operations.ts';
import { policiesFor } from './selector.ts';
import { referenceJudge } from './testing/reference-match.ts';
import {
  operationOf,
  policiesOf,
  posturesOf,
  stage,
  stageFiles,
  vectorGroups,
  type PolicyVector,
  type VectorStep,
} from './testing/policy-vectors.ts';
import type { RuleSet } from './types.ts';

function ruleSetFor(vector: PolicyVector, name: string): RuleSet | undefined {
  const container = vector.containers[name];
  if (!container) throw new Error(`no such container: ${name}`);
  const policies = policiesFor(policiesOf(vector), container);
  const options = { postures: posturesOf(vector), audited: vector.audited };
  return policies.length === 0 ? undefined : compileRuleSet(policies, options);
}

function asExpected(outcome: Outcome): object {
  const alerts = outcome.alerts.map((alert) => ({
    PolicyName: alert.policyName,
    Operation: alert.operation,
    Action: alert.action,
    Resource: alert.resource,
    Result: alert.result,
    Enforcer: alert.enforcer,
    Severity: alert.severity,
    Tags: alert.tags,
    Message: alert.message,
  }));
  return { result: outcome.result, errno: outcome.errno, alerts };
}

type Judge = (ruleSet: RuleSet | undefined, step: VectorStep) => Outcome;

const judges: [string, Judge][] = [
  ['matcher', (ruleSet, step) => judge(ruleSet, operationOf(step), step, stageFiles)],
  ['reference', (ruleSet, step) => referenceJudge(ruleSet, operationOf(step), step, stageFiles)],
];

describe.each(vectorGroups)('policy vectors: $name', ({ vectors }) => {
  describe.each(judges)('%s', (_, run) => {
    it.each(vectors)('$name', (vector) => {
      for (const [i, step] of vector.steps.entries()) {
        const outcome = run(ruleSetFor(vector, step.container), step);
        expect(asExpected(outcome), `step ${i}: ${JSON.stringify(step)}`).toMatchObject(step.expect);
      }
    });
  });
});

describe('the vector file', () => {
  const vectors = vectorGroups.flatMap((group) => group.vectors);

  it('names every vector once, so that a failure is found', () => {
    for (const group of vectorGroups) {
      const names = group.vectors.map(({ name }) => name);
      expect(new Set(names).size, group.name).toBe(names.length);
    }
  });

  it('expects an alert of every step that is refused or audited, and of no other', () => {
    for (const { name, steps } of vectors) {
      for (const { expect: expected } of steps) {
        expect(expected.alerts.length > 0, name).toBe(expected.result !== 'allow');
        expect(expected.errno !== undefined, name).toBe(expected.result === 'block');
      }
    }
  });

  it('has everything on its stage that steps begin with', () => {
    const sources = new Set(vectors.flatMap(({ steps }) => steps.map(({ source }) => source)));
    const programs = stage.programs.map(([path]) => path);
    expect([...sources].filter((source) => !programs.includes(source))).toEqual([]);
    const executed = vectors.flatMap(({ steps }) =>
      steps.flatMap((step) => (step.do === 'exec' ? [step.path] : [])),
    );
    const known = [...programs, ...stage.scripts.map(([path]) => path), ...stage.links.map(([path]) => path)];
    expect(executed.filter((path) => !known.includes(path))).toEqual([]);
  });
});
