// How large the maps are made, by the sizes that an operator sets. What is pinned keeps its size until it is detached.
import { KernelError } from './errors.ts';

export interface KernelSizes {
  readonly containers: number;
  readonly rulesets: number;
  /** Places in rule sets: rules with equal kind, match, path and source share one. Hints have as many. */
  readonly rules: number;
  /** Components of the paths in rules. */
  readonly names: number;
  /** Cgroups of containers: their own and all below. */
  readonly members: number;
  /** Containers with a window of their own in the throttle map. */
  readonly windows: number;
  /** Powers of two, a page at least. */
  readonly enforcementRingBytes: number;
  readonly auditRingBytes: number;
}

export const DEFAULT_SIZES: KernelSizes = {
  containers: 4096,
  rulesets: 1024,
  rules: 65_536,
  names: 65_536,
  members: 32_768,
  windows: 4096,
  enforcementRingBytes: 4 * 1024 * 1024,
  auditRingBytes: 8 * 1024 * 1024,
};

const MAPS: Readonly<Record<keyof KernelSizes, readonly string[]>> = {
  containers: ['containers', 'ring_accounts', 'overflow_members', 'window_requests'],
  rulesets: ['rulesets'],
  rules: ['rules', 'hints'],
  names: ['names'],
  members: ['members'],
  windows: ['kubearmor_alert_throttle'],
  enforcementRingBytes: ['enforcement_ring'],
  auditRingBytes: ['audit_ring'],
};

const PAGE_BYTES = 4096;
/** Above this the kernel refuses ring buffers, and maps would take more memory than any policy is worth. */
const MAX_ENTRIES = 1 << 26;

/** Entries by map. Throws BAD_SIZES. */
export function entriesByMap(sizes: KernelSizes): ReadonlyMap<string, number> {
  const entries = new Map<string, number>();
  for (const [size, maps] of Object.entries(MAPS) as [keyof KernelSizes, readonly string[]][]) {
    const value = sizes[size];
    const isRing = size.endsWith('Bytes');
    if (!Number.isInteger(value) || value < 1 || value > MAX_ENTRIES || (isRing && !isRingSize(value)))
      throw new KernelError(
        'BAD_SIZES',
        `${size} is ${value}`,
        isRing
          ? `Choose a power of two from ${PAGE_BYTES} to ${MAX_ENTRIES}.`
          : `Choose a whole number from 1 to ${MAX_ENTRIES}.`,
      );
    for (const map of maps) entries.set(map, value);
  }
  return entries;
}

function isRingSize(value: number): boolean {
  return value >= PAGE_BYTES && Math.log2(value) % 1 === 0;
}
