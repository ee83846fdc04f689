/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The throttle itself: one alert against one container's window. The TypeScript of packages/throttle/src/decide.ts
 * follows the same rules, and both run the vectors in schemas/throttle-vectors.json.
 *
 *   passed .. passed  crossed  dropped ... dropped      passed
 *   ┴──────────┴─────────┴────────┴───────────┴───────────┴────▶ t
 *   opened_at   (< 1 s)  └────────── throttleSec ────────┤
 *                                                        throttled_until
 *
 * Pure C: no map, no helper, no call that is not inlined, because the kernel allows none of these under bpf_spin_lock.
 * So the same lines run in the BPF programs and, under the sanitizers, in the tests on the host. Times are nanoseconds
 * of CLOCK_BOOTTIME; what is subtracted is never larger than what it is subtracted from.
 */
#ifndef AT_THROTTLE_H
#define AT_THROTTLE_H

#include "layout.h"

#define AT_INLINE static inline __attribute__((always_inline))

#define AT_SECOND_NS 1000000000ull

/*
 * Whose a value is that is being taken out of its map. The kernel uses elements again at once after a delete, so each
 * value names its container, and who has looked one up compares under its lock.
 */
#define AT_NOBODY (~0ull)

/* What the throttle remembers of a container; all zero is a new one. */
struct at_window {
	__u64 opened_at;
	__u64 throttled_until;
	__u64 dropped;    /* alerts dropped and not reported yet; an interval is open while this is above 0 */
	__u64 last;       /* time of the latest alert: time never runs backwards for a window */
	__u32 passed;     /* alerts that passed since the window was opened */
	__u32 generation; /* AT_LIMITS_GENERATION of the limits that it was opened under */
};

enum at_decision {
	AT_PASSED,
	AT_DROPPED,
	AT_CROSSED, /* this alert is dropped too, and an interval begins with it */
};

/* The time that counts for an alert at t. */
AT_INLINE __u64 at_window_time(const struct at_window *window, __u64 t)
{
	return t > window->last ? t : window->last;
}

/* Throttling is off, or has been since this window was opened: report what is open, then at_window_clear. */
AT_INLINE int at_window_is_stale(const struct at_window *window, __u64 limits)
{
	return !AT_LIMITS_ON(limits) || window->generation != AT_LIMITS_GENERATION(limits);
}

AT_INLINE void at_window_clear(struct at_window *window, __u64 limits)
{
	*window = (struct at_window){ .generation = AT_LIMITS_GENERATION(limits) };
}

/* An interval is open, and at t its time is over: report it before an alert at t is decided. */
AT_INLINE int at_window_is_over(const struct at_window *window, __u64 t)
{
	return window->dropped > 0 && at_window_time(window, t) >= window->throttled_until;
}

/*
 * Decides an alert at t and changes the window accordingly. The limits are on, and the window is not stale; an interval
 * that is over has been reported, because an alert that passes sets `dropped` to 0.
 */
AT_INLINE enum at_decision at_window_decide(struct at_window *window, __u64 limits, __u64 t)
{
	t = at_window_time(window, t);
	window->last = t;
	if (t < window->throttled_until) {
		window->dropped += 1;
		return AT_DROPPED;
	}
	/* t >= last >= opened_at */
	if (t - window->opened_at >= AT_SECOND_NS) {
		window->opened_at = t;
		window->passed = 0;
	}
	if (window->passed < AT_LIMITS_MAX_ALERT_PER_SEC(limits)) {
		window->passed += 1;
		window->dropped = 0;
		return AT_PASSED;
	}
	window->throttled_until = t + AT_LIMITS_THROTTLE_SEC(limits) * AT_SECOND_NS;
	window->dropped = 1;
	return AT_CROSSED;
}

#endif
