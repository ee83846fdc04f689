// The BPF programs against the conformance vectors of the verdict, the same that the pure matcher passes.
import { beforeAll, describe, expect, it } from 'vitest';
import { vectorGroups, type PolicyVector, type VectorStep } from '@alert-throttle/policy/vectors';
import { KERNELS, runGuestOrThrow } from '@alert-throttle/guest';

/** What a step came to, as the scenario reports it. */
interface Seen {
  readonly ret: number;
  readonly error: string;
  readonly alerts: readonly { readonly refused: boolean; readonly ring: string }[];
}

const REFUSALS = ['EACCES', 'EPERM'];

describe.each(KERNELS)('policy vectors, kernel %s', (kernel) => {
  const seen = new Map<string, readonly Seen[]>();

  beforeAll(async () => {
    const { lines } = await runGuestOrThrow({
      kernel,
      scenarios: [{ module: 'packages/kernel/scenarios/enforcement/policy-vectors.ts' }],
      timeoutMs: 900_000,
    });
    for (const { name, data } of lines)
      if (name === 'vector')
        seen.set(`${String(data['group'])}: ${String(data['vector'])}`, data['steps'] as Seen[]);
  });

  describe.each(vectorGroups)('$name', ({ name: group, vectors }) => {
    it.each(vectors)('$name', (vector: PolicyVector) => {
      const steps = seen.get(`${group}: ${vector.name}`) ?? [];
      expect(steps.length).toBe(vector.steps.length);
      for (const [index, step] of vector.steps.entries()) {
        const what = `step ${index}: ${JSON.stringify(step)}`;
        expect(outcomeOf(steps[index]), what).toMatchObject(expectedOf(step));
      }
    });
  });
});

/** Beside the alerts as people see them: whether the programs say of each that it was refused, and its ring. */
function expectedOf({ expect: { result, errno, alerts } }: VectorStep): object {
  const refused = result === 'block';
  const ring = refused ? 'enforcement' : 'audit';
  return { refusal: errno ?? '', alerts: alerts.map((alert) => ({ ...alert, refused, ring })) };
}

/** What is not refused may fail for reasons of its own. */
function outcomeOf(step: Seen | undefined): object {
  return { refusal: REFUSALS.includes(step?.error ?? '') ? step?.error : '', alerts: step?.alerts };
}
