// The attacks on the rules of one container, where AppArmor enforces them. Argument: which kind of container.
import type { Guest } from '@alert-throttle/guest/inside';
import { ATTACKS, PROTOCOLS, RENAME_ABOVE, SPEC } from '../../kernel/scenarios/enforcement/attack-list.ts';
import { runAttacks } from '../../kernel/scenarios/enforcement/attack-table.ts';
import { ConfiningNode } from './node.ts';

/** No profile can say what the rule on a protocol says. */
const spec = { process: SPEC.process, file: SPEC.file, action: SPEC.action };

export default async function attacks(guest: Guest): Promise<void> {
  await runAttacks(guest, new ConfiningNode(), {
    spec,
    attacks: ATTACKS.filter(({ name }) => name !== PROTOCOLS && name !== RENAME_ABOVE),
    last: ATTACKS.filter(({ name }) => name === RENAME_ABOVE),
  });
}
