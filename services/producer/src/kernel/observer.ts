// What the kernel source tells the metrics.
import type { Ring } from './kernel-port.ts';

export const EVENT_TYPES = [
  'alert',
  'tampering',
  'threshold',
  'thresholdEnded',
  'cgroupCreated',
  'cgroupRemoved',
  'lost',
  'malformed',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface KernelObserver {
  event(type: EventType): void;
  /** Numbers that a ring left out: events that it did not take. */
  skipped(ring: Ring, numbers: number): void;
  /** The alerts of a container went out under its cgroup, as it did not become known in time. */
  stranger(): void;
  /** How long a container's own program ran without its rules, in seconds. */
  exposed(seconds: number): void;
  /** How long a new container was frozen, and whether its rules were in force then. */
  held(seconds: number, areRulesIn: boolean): void;
  refused(what: 'policy file' | 'policy' | 'rule set'): void;
  selfTest(seconds: number, armed: boolean): void;
}
