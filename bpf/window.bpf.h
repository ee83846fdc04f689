/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The throttle of Block alerts in the kernel: finds a container's window, decides under its lock, and gets
 * AlertThreshold and AlertThresholdEnded into the ring, each exactly once. The rules are in include/throttle.h, what is
 * due and when in include/interval.h; here are the maps, the locks and the helpers, none of which may be called with a
 * lock held.
 *
 * Only programs change windows. User space reads them, and asks for the end of one through `window_requests`.
 */
#ifndef AT_WINDOW_BPF_H
#define AT_WINDOW_BPF_H

#include "ring.bpf.h"

/* Key: cgroup id of a registered container; made at its first Block alert while throttling is on. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct at_throttle);
} kubearmor_alert_throttle SEC(".maps");

/* Per profile, the window shared by the containers that found kubearmor_alert_throttle full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AT_PROFILES_MAX);
	__type(key, __u32);
	__type(value, struct at_throttle);
} overflow_windows SEC(".maps");

/* A container that shares one. */
struct at_overflow_member {
	__u64 tried_ns; /* when it last tried to get a window of its own; one aligned word */
	__u64 profile;
};

/* Key: cgroup id. As many as there may be containers. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct at_overflow_member);
} overflow_members SEC(".maps");

/* To find out that a map is full, the kernel looks for a free element on every CPU: not for each alert of a flood. */
#define AT_OVERFLOW_TRY_NS (AT_SECOND_NS / 10)

/*
 * Written by user space: cgroup id -> AT_ENDED_BY_POLICY or AT_ENDED_BY_CONTAINER. The next sweep ends the container's
 * interval for that reason, and takes the window out of its map once the report is in the ring; then it takes the
 * request away. User space takes the container's rules away and waits for running programs first, and makes no new
 * rules for it before the request is gone: a program that had looked up the old window, and was kept from its lock
 * until then, could not tell it from a new one of the same container in the moment in which that is made.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} window_requests SEC(".maps");

#include "handover.bpf.h"

static __always_inline struct at_throttle *at_overflow_window(__u32 profile)
{
	__u32 key = profile & (AT_PROFILES_MAX - 1);

	return bpf_map_lookup_elem(&overflow_windows, &key);
}

static __always_inline void at_overflow_join(const struct at_admission *admission, struct at_throttle *overflow)
{
	struct at_overflow_member member = { .tried_ns = admission->now_ns, .profile = admission->profile };
	__u64 container = admission->container;

	if (bpf_map_lookup_elem(&overflow_members, &container))
		return;
	if (bpf_map_update_elem(&overflow_members, &container, &member, BPF_NOEXIST) == 0)
		__sync_fetch_and_add(&overflow->containers, 1);
}

static __noinline int at_overflow_leave(__u64 container)
{
	struct at_overflow_member *member = bpf_map_lookup_elem(&overflow_members, &container);
	struct at_throttle *overflow;

	if (!member)
		return 0;
	overflow = at_overflow_window((__u32)member->profile);
	/* Of several that try, one succeeds. */
	if (overflow && bpf_map_delete_elem(&overflow_members, &container) == 0)
		__sync_fetch_and_add(&overflow->containers, -1);
	return 0;
}

/*
 * Gets what is due first into the ring: 1 done, 0 nothing due or somebody else is at it, -1 no room. Whoever has marked
 * the value as REPORTING asks for space, and only with the space in hand, under the lock, is it settled what goes out
 * and that it has gone. So reports of one window lie in the ring in their order, whichever CPUs they come from, and a
 * full ring leaves everything as it was.
 */
static __noinline int at_window_report(struct at_throttle *throttle, __u64 container)
{
	struct at_ring_state *state = at_ring_state(AT_RING_ENFORCEMENT);
	struct at_threshold_event *event;
	int due = 0;

	if (!throttle || !state)
		return 0;
	bpf_spin_lock(&throttle->lock);
	if (at_window_holds(throttle, container) && !(throttle->flags & AT_THROTTLE_REPORTING) &&
	    at_throttle_is_due(throttle)) {
		throttle->flags |= AT_THROTTLE_REPORTING;
		due = 1;
	}
	bpf_spin_unlock(&throttle->lock);
	if (!due)
		return 0;
	AT_RACE_POINT();
	event = bpf_ringbuf_reserve(&enforcement_ring, sizeof(*event), 0);
	if (!event) {
		bpf_spin_lock(&throttle->lock);
		throttle->flags &= ~AT_THROTTLE_REPORTING;
		bpf_spin_unlock(&throttle->lock);
		return -1;
	}
	AT_RACE_POINT();
	bpf_spin_lock(&throttle->lock);
	/* Nobody frees or reports it while it is marked: it is the same value, and what was due is due. */
	at_throttle_take(throttle, event);
	event->head.number = __sync_fetch_and_add(&state->number, 1) + 1;
	throttle->flags &= ~AT_THROTTLE_REPORTING;
	bpf_spin_unlock(&throttle->lock);
	__sync_fetch_and_add(&state->emitted, 1);
	bpf_ringbuf_submit(event, 0);
	return 1;
}

/* The container's own window, made if there is room; NULL where the map is full. */
static __always_inline struct at_throttle *at_window_of(__u64 container, __u64 now, struct at_settings *s)
{
	const int moves = at_windows_move_before(s);
	struct at_throttle *throttle = at_window_at(container);
	struct at_overflow_member *member;

	if (throttle)
		return throttle;
	member = bpf_map_lookup_elem(&overflow_members, &container);
	if (member) {
		__u64 tried = *(volatile __u64 *)&member->tried_ns;

		if (now < tried || now - tried < AT_OVERFLOW_TRY_NS)
			return NULL;
		*(volatile __u64 *)&member->tried_ns = now;
	}
	if (at_window_new(container, moves) == 0)
		at_overflow_leave(container);
	return at_window_at(container);
}

/* Decides in this window if it is still `owner`'s, and reports what that brought about. -1: it is not. */
static __noinline int at_window_decide_in(struct at_throttle *throttle, __u64 owner,
					  const struct at_admission *admission, struct at_settings *s)
{
	struct at_trigger trigger = {};
	int decision = -1;
	int due = 0;
	__u64 limits;
	int before;

	if (!throttle || !admission || !s)
		return -1;
	/* Who the task is matters only if this alert crosses, which inside an interval it cannot. */
	if (admission->now_ns >= *(volatile __u64 *)&throttle->window.throttled_until) {
		trigger.host_pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(trigger.comm, sizeof(trigger.comm));
	}
	before = at_lies_before(throttle, owner);
	AT_RACE_POINT();
	bpf_spin_lock(&throttle->lock);
	if (at_window_takes(throttle, owner, before, s)) {
		/* Read under the lock: no decision is made under limits older than those of the decision before it. */
		limits = at_limits(s, admission->profile);
		decision = AT_PASSED;
		if (AT_LIMITS_ON(limits))
			decision = at_throttle_admit(throttle, admission, limits, &trigger);
		/* Inside an interval the ring is left alone: what is still due then is the sweep's. */
		due = decision != AT_DROPPED && at_throttle_is_due(throttle);
	}
	bpf_spin_unlock(&throttle->lock);
	if (due)
		at_window_report(throttle, owner);
	return decision;
}

/* An alert that is decided nowhere any more: it is lost, like one that found no room in the ring. */
static __always_inline int at_window_lose(__u64 container)
{
	struct at_ring_state *state = at_ring_state(AT_RING_ENFORCEMENT);

	if (state)
		__sync_fetch_and_add(&state->number, 1);
	at_ring_count(AT_RING_ENFORCEMENT, container, AT_EVENT_ALERT, 0);
	return 0;
}

/*
 * May this Block alert go out? Counts it either way. The verdict on the operation has been given before, and does not
 * depend on the answer.
 */
static __noinline int at_window_admit(const struct at_admission *admission)
{
	struct at_settings *s = at_settings();
	struct at_throttle *throttle;
	int decision = -1;

	if (!admission || !s)
		return 1;
	at_count(AT_COUNTER_MATCHED, 1);
	if (!AT_LIMITS_ON(at_limits(s, admission->profile)))
		return 1;
	for (int i = 0; i < (at_bridge ? AT_BRIDGE_TRIES : 1) && decision < 0; i++)
		decision = at_window_decide_in(at_window_of(admission->container, admission->now_ns, s),
					       admission->container, admission, s);
	if (decision < 0 && at_comes_too_late(s))
		return at_window_lose(admission->container);
	if (decision < 0) {
		throttle = at_overflow_window(admission->profile);
		if (!throttle)
			return 1;
		at_overflow_join(admission, throttle);
		at_count(AT_COUNTER_OVERFLOWED, 1);
		decision = at_window_decide_in(throttle, 0, admission, s);
	}
	if (decision <= AT_PASSED)
		return 1;
	at_count(AT_COUNTER_DROPPED, 1);
	return 0;
}

/* Under its lock: a loss belongs to the owner's value, to one that its window is on its way to as well. */
static __always_inline int at_window_add_loss(struct at_throttle *throttle, __u64 owner)
{
	int counted = 0;

	bpf_spin_lock(&throttle->lock);
	if (throttle->container == owner && !(at_bridge && throttle->flags & AT_THROTTLE_MOVED)) {
		throttle->lost += 1;
		counted = 1;
	}
	bpf_spin_unlock(&throttle->lock);
	return counted;
}

static __noinline int at_window_count_loss(__u64 container)
{
	struct at_throttle *throttle = bpf_map_lookup_elem(&kubearmor_alert_throttle, &container);
	struct at_overflow_member *member;

	if (!throttle && at_bridge) {
		throttle = bpf_map_lookup_elem(&throttle_before, &container);
		if (throttle && at_window_add_loss(throttle, container))
			return 0;
		/* It has been frozen: then there is a place for it. */
		throttle = bpf_map_lookup_elem(&kubearmor_alert_throttle, &container);
	}
	if (throttle)
		return at_window_add_loss(throttle, container);
	member = bpf_map_lookup_elem(&overflow_members, &container);
	if (!member)
		return 0;
	throttle = at_overflow_window((__u32)member->profile);
	return throttle ? at_window_add_loss(throttle, 0) : 0;
}

#include "sweep.bpf.h"

#endif
