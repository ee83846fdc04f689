// The conformance vectors of the verdict, enforced by AppArmor; those that no profile can say are refused by name.
import type { Guest } from '@alert-throttle/guest/inside';
import { runVectors } from '../../kernel/scenarios/enforcement/policy-vectors.ts';
import { ConfiningNode } from './node.ts';

export default async function apparmorVectors(guest: Guest): Promise<void> {
  await runVectors(guest, new ConfiningNode());
}
