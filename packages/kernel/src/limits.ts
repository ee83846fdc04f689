// The limits of a profile as the one word that the kernel reads in one access (layout.h, AT_LIMITS_*).
//   bit 63: on | 62..46: maxAlertPerSec | 45..29: throttleSec | 28..20: generation | 19..0: revision
// Turning throttling off raises the generation, so that windows opened before are forgotten even if it is on again
// before any program looks; every change raises the revision.

export interface Limits {
  readonly alertThrottling: boolean;
  readonly maxAlertPerSec: number;
  readonly throttleSec: number;
}

export interface LimitsInForce extends Limits {
  /** Generation and revision in one number, larger with each change until it begins again. */
  readonly version: number;
}

const FIELD_MAX = 0x1ffff;
const GENERATION_MAX = 0x1ff;
const REVISION_MAX = 0xfffff;

export function limitsOf(word: bigint): LimitsInForce {
  return {
    alertThrottling: word >> 63n === 1n,
    maxAlertPerSec: Number((word >> 46n) & 0x1ffffn),
    throttleSec: Number((word >> 29n) & 0x1ffffn),
    version: Number(word & 0x1fffffffn),
  };
}

/** The word for `limits` after `previous`; the same word where nothing changes. */
export function nextLimitsWord(previous: bigint, limits: Limits): bigint {
  for (const key of ['maxAlertPerSec', 'throttleSec'] as const)
    if (!Number.isInteger(limits[key]) || limits[key] < 0 || limits[key] > FIELD_MAX)
      throw new RangeError(`${key} must be a whole number from 0 to ${FIELD_MAX}`);
  const before = limitsOf(previous);
  const same =
    before.alertThrottling === limits.alertThrottling &&
    before.maxAlertPerSec === limits.maxAlertPerSec &&
    before.throttleSec === limits.throttleSec;
  if (same) return previous;
  const turnedOff = before.alertThrottling && !limits.alertThrottling;
  const generation = ((before.version >> 20) + (turnedOff ? 1 : 0)) & GENERATION_MAX;
  const revision = ((before.version & REVISION_MAX) + 1) & REVISION_MAX;
  return (
    ((limits.alertThrottling ? 1n : 0n) << 63n) |
    (BigInt(limits.maxAlertPerSec) << 46n) |
    (BigInt(limits.throttleSec) << 29n) |
    (BigInt(generation) << 20n) |
    BigInt(revision)
  );
}
