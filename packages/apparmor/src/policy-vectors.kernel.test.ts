// AppArmor against the conformance vectors of the verdict, in a kernel that asks no BPF programs. What no profile can say
// has to be refused by name, and nothing else may be.
import { beforeAll, describe, expect, it } from 'vitest';
import { KERNELS, runGuestOrThrow } from '@alert-throttle/guest';
import { vectorGroups, type PolicyVector, type VectorStep } from '@alert-throttle/policy/vectors';
import { APPARMOR_ONLY } from './testing/security-modules.ts';

interface Seen {
  readonly refusals?: readonly string[];
  readonly steps: readonly {
    readonly error: string;
    readonly alerts: readonly { readonly refused: boolean; readonly ring: string }[];
  }[];
}

const REFUSALS = ['EACCES', 'EPERM'];

describe.each(KERNELS)('policy vectors by AppArmor, kernel %s', (kernel) => {
  const seen = new Map<string, Seen>();

  beforeAll(async () => {
    const { lines } = await runGuestOrThrow({
      kernel,
      lsm: APPARMOR_ONLY,
      scenarios: [{ module: 'packages/apparmor/scenarios/policy-vectors.ts' }],
      timeoutMs: 1_500_000,
    });
    for (const { name, data } of lines)
      if (name === 'vector')
        seen.set(`${String(data['group'])}: ${String(data['vector'])}`, data as unknown as Seen);
  }, 1_600_000);

  describe.each(vectorGroups)('$name', ({ name: group, vectors }) => {
    it.each(vectors)('$name', (vector: PolicyVector) => {
      const { refusals = [], steps } = seen.get(`${group}: ${vector.name}`) ?? { steps: [] };
      const mode = vector.appArmor?.expect;
      expect(refusals.length > 0).toBe(mode === 'refused');
      if (mode === 'refused') return;
      expect(steps.length).toBe(vector.steps.length);
      if (mode === 'not required') return;
      for (const [index, step] of vector.steps.entries())
        expect(outcomeOf(steps[index]), `step ${index}: ${JSON.stringify(step)}`).toMatchObject(
          expectedOf(step),
        );
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
function outcomeOf(step: Seen['steps'][number] | undefined): object {
  const error = step?.error ?? '';
  return { refusal: REFUSALS.includes(error) ? error : '', alerts: step?.alerts };
}
