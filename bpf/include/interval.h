/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The value of the map kubearmor_alert_throttle: a container's window, and its intervals until they are reported.
 *
 *                crossed          ended by time, limits, policy, container
 *   (no interval) ──────▶ open ───────────────────────────────────────────▶ ended
 *                          │ AlertThreshold due                              │ AlertThresholdEnded due
 *                          ▼                                                 ▼
 *                     taken by the ring                                 taken by the ring: forgotten
 *
 * What is due is taken in the order in which it fell due, and stays until the ring has room for it. So while the ring
 * is full, intervals queue up: AT_INTERVALS of them, the open one included, each with its own figures. A crossing that
 * finds the queue full goes on with the last interval, whose report then covers both and says so (`crossings`): no alert
 * is missing from the counts, whatever the length of the outage.
 *
 * Pure C like throttle.h, and called under the value's lock.
 */
#ifndef AT_INTERVAL_H
#define AT_INTERVAL_H

#include <linux/bpf.h>
#include "throttle.h"

#define AT_INTERVALS 4 /* a power of two */

/* A Block alert that wants to go out. */
struct at_admission {
	__u64 container;  /* cgroup id of a registered container */
	__u64 now_ns;     /* bpf_ktime_get_boot_ns */
	__u32 profile;    /* of limits */
	__u32 rule;       /* number of the rule, or AT_RULE_POSTURE */
	__u32 operation;  /* enum at_operation */
	__u32 pad;
};

/* Of the task whose alert crosses. */
struct at_trigger {
	__u32 host_pid;
	char comm[AT_COMM_MAX];
};

struct at_interval {
	__u64 start_ns;         /* the crossing */
	__u64 until_ns;         /* crossing + throttleSec */
	__u64 ended_ns;         /* stamp of the report */
	__u64 limits;           /* in force at the crossing */
	__u64 dropped;
	__u64 first_dropped_ns;
	__u64 last_dropped_ns;
	__u64 crossings;        /* 1, or more where the queue was full */
	__u64 lost;             /* see struct at_threshold_event; set at the end, as is `containers` */
	__u64 containers;
	__u64 dropped_by_operation[AT_OPS + 1];
	__u64 dropped_by_rule[AT_RULES_COUNTED];
	__u64 dropped_by_other_rules;
	__u32 rules[AT_RULES_COUNTED]; /* the first that dropped */
	__u32 trigger_rule;
	__u32 trigger_operation;
	struct at_trigger trigger;
	__u32 ended_by;         /* enum at_ended_by; AT_ENDED_BY_NONE: open */
	__u32 announced;        /* the ring has its AlertThreshold */
	__u32 profile;          /* whose limits these are */
};

#define AT_THROTTLE_REMOVED 0x1   /* the container is gone: free this once all is reported */
#define AT_THROTTLE_REPORTING 0x2 /* a CPU holds ring space for what is due first */
#define AT_THROTTLE_ARRIVING 0x4  /* a place in the larger or smaller map, whose window is not in it yet */
#define AT_THROTTLE_MOVED 0x8     /* nothing changes here any more: the window is in the other map, or on its way there */

struct at_throttle {
	struct bpf_spin_lock lock;
	__u32 flags;          /* AT_THROTTLE_* */
	__u64 container;      /* the key once more, or AT_NOBODY; 0: the window that newcomers share when the map is full */
	struct at_window window;
	__u32 profile;        /* of limits, of the latest alert */
	__u32 first;          /* index of the oldest interval */
	__u32 count;          /* intervals not fully reported; the last one may be open */
	__u32 pad;
	__u64 matched;        /* alerts decided here, since the value was created; = passed + dropped */
	__u64 dropped;
	__u64 lost;           /* of those that passed, alerts that the ring did not take */
	__u64 lost_reported;  /* of these, the part in reports */
	__u64 containers;     /* overflow: that share this window now */
	struct at_interval intervals[AT_INTERVALS];
};

_Static_assert(sizeof(struct at_interval) == 224 + 8 * (AT_OPS + 1), "no hidden padding");
_Static_assert(sizeof(struct at_throttle) == 112 + AT_INTERVALS * sizeof(struct at_interval), "no hidden padding");

AT_INLINE struct at_interval *at_interval_at(struct at_throttle *throttle, __u32 place)
{
	return &throttle->intervals[(throttle->first + place) & (AT_INTERVALS - 1)];
}

AT_INLINE void at_interval_count(struct at_interval *interval, const struct at_admission *admission, __u64 t)
{
	__u32 operation = admission->operation < AT_OPS ? admission->operation : AT_OP_NONE;
	int counted = 0;

	interval->dropped += 1;
	interval->last_dropped_ns = t;
	interval->dropped_by_operation[operation] += 1;
	for (int i = 0; i < AT_RULES_COUNTED; i++) {
		if (!counted && (interval->rules[i] == admission->rule || interval->rules[i] == 0)) {
			interval->rules[i] = admission->rule;
			interval->dropped_by_rule[i] += 1;
			counted = 1;
		}
	}
	if (!counted)
		interval->dropped_by_other_rules += 1;
}

/* The window has just been crossed at t. */
AT_INLINE void at_interval_open(struct at_throttle *throttle, const struct at_admission *admission, __u64 limits,
				__u64 t, const struct at_trigger *trigger)
{
	struct at_interval *interval;

	if (throttle->count >= AT_INTERVALS) {
		/* The last one has ended and is not reported, as nothing behind the first can be: it goes on. */
		interval = at_interval_at(throttle, AT_INTERVALS - 1);
		interval->ended_by = AT_ENDED_BY_NONE;
		interval->crossings += 1;
	} else {
		interval = at_interval_at(throttle, throttle->count);
		__builtin_memset(interval, 0, sizeof(*interval));
		throttle->count += 1;
		interval->start_ns = t;
		interval->first_dropped_ns = t;
		interval->limits = limits;
		interval->profile = admission->profile;
		interval->crossings = 1;
		interval->trigger_rule = admission->rule;
		interval->trigger_operation = admission->operation;
		interval->trigger = *trigger;
	}
	interval->until_ns = throttle->window.throttled_until;
}

/* Ends the open interval, if there is one, in a report stamped `stamp`. */
AT_INLINE void at_interval_end(struct at_throttle *throttle, enum at_ended_by ended_by, __u64 stamp)
{
	struct at_interval *interval;

	if (throttle->window.dropped == 0)
		return;
	throttle->window.dropped = 0;
	interval = at_interval_at(throttle, throttle->count - 1);
	interval->ended_by = ended_by;
	interval->ended_ns = stamp;
	interval->containers = throttle->containers;
	interval->lost += throttle->lost - throttle->lost_reported;
	throttle->lost_reported = throttle->lost;
}

/*
 * What time and limits do to a window without an alert: what the sweep applies, and what comes before each decision.
 * An interval whose time is over has ended by that, whatever else has happened since.
 */
AT_INLINE void at_throttle_advance(struct at_throttle *throttle, __u64 limits, __u64 now)
{
	struct at_window *window = &throttle->window;

	if (at_window_is_over(window, now)) {
		at_interval_end(throttle, AT_ENDED_BY_EXPIRED, window->throttled_until);
		/* An alert whose time was taken before, and that comes only now, is none of the interval that was reported. */
		window->last = at_window_time(window, window->throttled_until);
	}
	if (at_window_is_stale(window, limits)) {
		at_interval_end(throttle, AT_ENDED_BY_LIMITS, window->last);
		at_window_clear(window, limits);
	}
}

/* The container is gone, or its last policy: its window is closed for good. */
AT_INLINE void at_throttle_close(struct at_throttle *throttle, __u64 limits, __u64 now, enum at_ended_by ended_by)
{
	at_throttle_advance(throttle, limits, now);
	at_interval_end(throttle, ended_by, throttle->window.last);
	at_window_clear(&throttle->window, limits);
}

/* Decides one alert. The limits are on. */
AT_INLINE enum at_decision at_throttle_admit(struct at_throttle *throttle, const struct at_admission *admission,
					     __u64 limits, const struct at_trigger *trigger)
{
	struct at_window *window = &throttle->window;
	enum at_decision decision;
	__u64 t;

	if (throttle->profile != admission->profile) {
		/* Another profile's generations are not comparable; a change of limits clears nothing. */
		throttle->profile = admission->profile;
		window->generation = AT_LIMITS_GENERATION(limits);
	}
	at_throttle_advance(throttle, limits, admission->now_ns);
	t = at_window_time(window, admission->now_ns);
	decision = at_window_decide(window, limits, t);
	throttle->matched += 1;
	if (decision == AT_PASSED)
		return decision;
	if (decision == AT_CROSSED)
		at_interval_open(throttle, admission, limits, t, trigger);
	at_interval_count(at_interval_at(throttle, throttle->count - 1), admission, t);
	throttle->dropped += 1;
	return decision;
}

/* Everything of a window that has been frozen (AT_THROTTLE_MOVED), into the place that waits for it in another map. */
AT_INLINE void at_throttle_carry(struct at_throttle *to, const struct at_throttle *from)
{
	to->flags = from->flags & AT_THROTTLE_REMOVED;
	to->window = from->window;
	to->profile = from->profile;
	to->first = from->first;
	to->count = from->count;
	to->matched = from->matched;
	to->dropped = from->dropped;
	/* What the ring did not take was counted here from the moment on in which the place was there. */
	to->lost += from->lost;
	to->lost_reported = from->lost_reported;
	to->containers = from->containers;
	for (int i = 0; i < AT_INTERVALS; i++)
		to->intervals[i] = from->intervals[i];
}

/* Something waits for space in the ring. */
AT_INLINE int at_throttle_is_due(struct at_throttle *throttle)
{
	const struct at_interval *interval = at_interval_at(throttle, 0);

	return throttle->count > 0 && (!interval->announced || interval->ended_by != AT_ENDED_BY_NONE);
}

/* Nothing open, nothing due, nobody at work on it. */
AT_INLINE int at_throttle_is_quiet(const struct at_throttle *throttle)
{
	return throttle->count == 0 && !(throttle->flags & AT_THROTTLE_REPORTING);
}

/*
 * Writes what is due first into `event`, which the ring is sure to take, and unmarks it. The head's number is the
 * caller's. Only while at_throttle_is_due.
 */
AT_INLINE void at_throttle_take(struct at_throttle *throttle, struct at_threshold_event *event)
{
	struct at_interval *interval = at_interval_at(throttle, 0);
	__u32 operation = interval->trigger_operation < AT_OPS ? interval->trigger_operation : AT_OP_NONE;

	__builtin_memset(event, 0, sizeof(*event));
	event->head.container = throttle->container;
	event->head.size = sizeof(*event);
	event->head.operation = (__u16)operation;
	event->interval_start_ns = interval->start_ns;
	event->interval_end_ns = interval->until_ns;
	event->first_dropped_ns = interval->first_dropped_ns;
	event->limits = interval->limits;
	event->flags = throttle->container ? 0 : AT_EVENT_OVERFLOW;
	event->profile = interval->profile;
	event->trigger_rule = interval->trigger_rule;
	event->trigger_operation = interval->trigger_operation;
	event->trigger_host_pid = interval->trigger.host_pid;
	__builtin_memcpy(event->trigger_comm, interval->trigger.comm, sizeof(event->trigger_comm));
	if (!interval->announced) {
		/* The figures at the crossing, however many alerts were dropped until the ring had room. */
		interval->announced = 1;
		event->head.type = AT_EVENT_THRESHOLD;
		event->head.time_ns = interval->start_ns;
		event->dropped = 1;
		event->last_dropped_ns = interval->start_ns;
		event->crossings = 1;
		event->containers = throttle->containers;
		event->rules[0] = interval->trigger_rule;
		event->dropped_by_rule[0] = 1;
		event->dropped_by_operation[operation] = 1;
		return;
	}
	event->head.type = AT_EVENT_THRESHOLD_ENDED;
	event->head.time_ns = interval->ended_ns;
	event->dropped = interval->dropped;
	event->last_dropped_ns = interval->last_dropped_ns;
	event->crossings = interval->crossings;
	event->lost = interval->lost;
	event->containers = interval->containers;
	event->ended_by = interval->ended_by;
	event->dropped_by_other_rules = interval->dropped_by_other_rules;
	__builtin_memcpy(event->dropped_by_operation, interval->dropped_by_operation, sizeof(event->dropped_by_operation));
	__builtin_memcpy(event->dropped_by_rule, interval->dropped_by_rule, sizeof(event->dropped_by_rule));
	__builtin_memcpy(event->rules, interval->rules, sizeof(event->rules));
	throttle->first = (throttle->first + 1) & (AT_INTERVALS - 1);
	throttle->count -= 1;
}

#endif
