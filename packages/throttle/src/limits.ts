/** The three settings of the throttle, their range, and the text that names one set of them. */

/** What one container may do. Names are KubeArmor's own. */
export interface Limits {
  /** Off: every alert passes and no window is touched. */
  readonly alertThrottling: boolean;
  /** Alerts of one container that pass within one second. */
  readonly maxAlertPerSec: number;
  /** Seconds for which the container's alerts are dropped once the threshold is crossed. */
  readonly throttleSec: number;
}

/** Both ends are allowed. */
export const LIMITS_RANGE = { maxAlertPerSec: [1, 100_000], throttleSec: [1, 86_400] } as const;

export const DEFAULT_LIMITS: Limits = { alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30 };

/** A short text made from the values alone, so that equal limits have equal versions everywhere. */
export function limitsVersion(limits: Limits): string {
  return `${limits.alertThrottling ? 'on' : 'off'}-${limits.maxAlertPerSec}-${limits.throttleSec}`;
}

export function sameLimits(a: Limits, b: Limits): boolean {
  return (
    a.alertThrottling === b.alertThrottling &&
    a.maxAlertPerSec === b.maxAlertPerSec &&
    a.throttleSec === b.throttleSec
  );
}
