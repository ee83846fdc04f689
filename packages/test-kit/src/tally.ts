// What fault tests did, as it travels from the test to the reporter in the test's meta data.

export interface Tally {
  /** Kills, cuts, stops: whatever was done to a process or a server on purpose. */
  readonly faults: number;
  /** Alerts whose fate was compared with the pure core. */
  readonly alerts: number;
}

declare module 'vitest' {
  interface TaskMeta {
    tally?: Tally;
  }
}

export function add(sum: Tally, { faults = 0, alerts = 0 }: Partial<Tally>): Tally {
  return { faults: sum.faults + faults, alerts: sum.alerts + alerts };
}
