// The attacks of scenarios/enforcement/attack-list.ts, tried in a guest, for the tests of each enforcer.
import { runGuestOrThrow, type GuestLine, type GuestRequest } from '@alert-throttle/guest';

/** Containers that they are tried in: by namespaces alone, and by a runtime. */
export const ATTACKED = ['namespaces', 'runc'] as const;
export type Attacked = (typeof ATTACKED)[number];

/** What was reported of a container under a name. */
export type AttackReports = (kind: Attacked, name: string) => readonly GuestLine['data'][];

export async function tryAttacks(
  module: string,
  options: Pick<GuestRequest, 'lsm'> = {},
): Promise<AttackReports> {
  const { lines } = await runGuestOrThrow({
    kernel: '6.1',
    ...options,
    scenarios: ATTACKED.map((args) => ({ module, args, name: args })),
    timeoutMs: 900_000,
  });
  return (kind, name) =>
    lines.filter((line) => line.scenario === kind && line.name === name).map((line) => line.data);
}
