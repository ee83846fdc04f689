// What a throttle may let pass, judged by the times of the alerts that it did.

export interface Change {
  readonly maxAlertPerSec: number;
  readonly fromNs: string;
  readonly settledNs: string;
}

/** The highest limit that an alert in (after, until] may have been judged by. */
export function mostInForce(changes: readonly Change[], after: bigint, until: bigint): number {
  const inForce = changes.filter((change, index) => {
    const next = changes[index + 1];
    return BigInt(change.fromNs) <= until && (next === undefined || BigInt(next.settledNs) > after);
  });
  return Math.max(...inForce.map(({ maxAlertPerSec }) => maxAlertPerSec));
}

/** How many alerts the fullest window had, opened by its first alert and closed a second later. */
export function fullest(alerts: readonly bigint[]): number {
  let [openedAt, inWindow, most] = [0n, 0, 0];
  for (const at of alerts) {
    if (inWindow === 0 || at - openedAt >= 1_000_000_000n) [openedAt, inWindow] = [at, 0];
    most = Math.max(most, ++inWindow);
  }
  return most;
}
