// What scenarios import; everything here runs inside the guest only.
export type { Guest, Scenario } from './guest.ts';
