/**
 * The throttle itself: one alert against one container's window. The kernel's C code follows the same rules, and both
 * run the vectors in schemas/throttle-vectors.json.
 *
 *   passed .. passed  crossed  dropped ... dropped      passed
 *   ┴──────────┴─────────┴────────┴───────────┴───────────┴────▶ t
 *   opened      (< 1 s)  └────────── throttleSec ────────┤
 *                                                        throttledUntil
 */
import type { Limits } from './limits.ts';

export const SECOND_IN_MICROS = 1_000_000;

/** What the throttle remembers of a container. All times are microseconds since the epoch; the zero window is a new one. */
export interface Window {
  openedAtMicros: number;
  /** Alerts that passed since the window was opened. */
  passed: number;
  throttledUntilMicros: number;
  /** Alerts dropped and not reported yet. An interval is open (unreported) while this is above 0. */
  dropped: number;
  /** Time of the latest alert. Time never runs backwards for a window. */
  lastMicros: number;
}

/** `thresholdCrossed`: this alert is dropped too, and an interval begins with it. */
export type Decision = 'passed' | 'dropped' | 'thresholdCrossed';

export function newWindow(): Window {
  return { openedAtMicros: 0, passed: 0, throttledUntilMicros: 0, dropped: 0, lastMicros: 0 };
}

/** Decides an alert at `tMicros`, which counts as the window's last time if it lies before it. */
export function decide(limits: Limits, window: Readonly<Window>, tMicros: number): Decision {
  if (!limits.alertThrottling) return 'passed';
  const t = Math.max(tMicros, window.lastMicros);
  if (t < window.throttledUntilMicros) return 'dropped';
  const passed = t - window.openedAtMicros >= SECOND_IN_MICROS ? 0 : window.passed;
  return passed < limits.maxAlertPerSec ? 'passed' : 'thresholdCrossed';
}

/**
 * Changes the window as `decide` decided for the same arguments. Changed in place: this runs once for each alert.
 * After an interval, the caller reports `dropped` before it evolves the window with an alert that is not dropped.
 */
export function evolve(window: Window, decision: Decision, tMicros: number, limits: Limits): void {
  if (!limits.alertThrottling) return;
  const t = Math.max(tMicros, window.lastMicros);
  window.lastMicros = t;
  switch (decision) {
    case 'passed':
      if (t - window.openedAtMicros >= SECOND_IN_MICROS) {
        window.openedAtMicros = t;
        window.passed = 0;
      }
      window.passed += 1;
      window.dropped = 0;
      return;
    case 'dropped':
      window.dropped += 1;
      return;
    case 'thresholdCrossed':
      window.throttledUntilMicros = t + limits.throttleSec * SECOND_IN_MICROS;
      window.dropped = 1;
      return;
    default:
      decision satisfies never;
  }
}
