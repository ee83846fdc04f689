/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A throttle map of another size takes over from the one before, under fire. A map cannot grow, and its windows must not
 * be in two places for a moment: so a set of programs of its own, the bridge, knows both maps and moves each window.
 *
 *   set before ──▶ bridge, windows in the map before ──▶ AT_ACTIVE_MOVING: windows move ──▶ set after
 *                  (until no program of the set          (each at its next alert, or by
 *                   before runs any more)                 at_move_windows)
 *
 * A window moves in three steps, and whoever finds one done goes on with the next: a place is made in the own map
 * (AT_THROTTLE_ARRIVING); under the lock of the map before, the window is frozen (AT_THROTTLE_MOVED), and nobody changes
 * it from then on; under the own map's lock it is copied, once, and decided in from then on. So at any time one value
 * holds the window: the own one unless it is arriving, else the one before; and between freezing and copying, when none
 * does, each program copies first.
 *
 * A program of the set before may come too late: it began before the bridge was active, was preempted, and finds that
 * windows move. It refuses as always, but may decide in no window any more: its alert counts as lost, and is announced.
 *
 * `at_bridge` is known to the verifier, which leaves the bridge's part out of the other sets of programs.
 */
#ifndef AT_HANDOVER_BPF_H
#define AT_HANDOVER_BPF_H

#include "window.bpf.h"

/* Not 0: this set is a bridge. Set before loading. */
const volatile __u32 at_bridge = 0;

/* The throttle map of the set before, in a bridge. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct at_throttle);
} throttle_before SEC(".maps");

#define AT_BRIDGE_TRIES 4 /* a window moves once: the second try finds it, but for what others are doing to it */

/* Do windows move, or have they moved? Also where the set after decides already. */
static __always_inline int at_moves_by(__u32 active)
{
	return active & AT_ACTIVE_MOVING || active > at_generation;
}

static __always_inline int at_windows_move(const struct at_settings *s)
{
	return at_bridge && at_moves_by(*(volatile const __u32 *)&s->active);
}

/* Has the throttle map of this set been replaced? Not by the next set, but by the next that moves windows, or later. */
static __always_inline int at_comes_too_late(const struct at_settings *s)
{
	return !at_bridge && *(volatile const __u32 *)&s->active > at_generation + 1;
}

/* The same, and what is read afterwards is not older: an atomic operation is a barrier. */
static __always_inline int at_windows_move_before(struct at_settings *s)
{
	return at_bridge && at_moves_by(__sync_fetch_and_or(&s->active, 0));
}

/* Does this value, which was looked up for `owner`, lie in the map before? */
static __always_inline int at_lies_before(const struct at_throttle *throttle, __u64 owner)
{
	return at_bridge && bpf_map_lookup_elem(&throttle_before, &owner) == throttle;
}

/* Under its lock: is this the value that holds the owner's window? */
static __always_inline int at_window_holds(const struct at_throttle *throttle, __u64 owner)
{
	return throttle->container == owner && !(throttle->flags & (AT_THROTTLE_ARRIVING | AT_THROTTLE_MOVED));
}

/*
 * Under its lock: may be decided in it, which lies in the map `before`, or not? While somebody reports it, it cannot be
 * moved yet.
 */
static __always_inline int at_window_takes(const struct at_throttle *throttle, __u64 owner, int before,
					   const struct at_settings *s)
{
	if (!at_window_holds(throttle, owner) || at_comes_too_late(s))
		return 0;
	return !before || !at_windows_move(s) || throttle->flags & AT_THROTTLE_REPORTING;
}

enum at_freeze { AT_FROZEN, AT_STAYS, AT_GONE };

static __always_inline enum at_freeze at_window_freeze(struct at_throttle *before, __u64 container)
{
	enum at_freeze state = AT_GONE;

	bpf_spin_lock(&before->lock);
	if (before->container == container) {
		state = before->flags & AT_THROTTLE_REPORTING ? AT_STAYS : AT_FROZEN;
		if (state == AT_FROZEN)
			before->flags |= AT_THROTTLE_MOVED;
	}
	bpf_spin_unlock(&before->lock);
	return state;
}

/* The place in the own map is filled, if nobody has done it yet; `before` is frozen. */
static __noinline int at_window_arrive(struct at_throttle *own, const struct at_throttle *before, __u64 container)
{
	if (!own || !before)
		return 0;
	bpf_spin_lock(&own->lock);
	if (own->container == container && own->flags & AT_THROTTLE_ARRIVING)
		at_throttle_carry(own, before);
	bpf_spin_unlock(&own->lock);
	return 0;
}

/* The same where there is no window any more to fill it with: it is a new one. */
static __always_inline void at_window_arrive_new(struct at_throttle *own, __u64 container)
{
	bpf_spin_lock(&own->lock);
	if (own->container == container)
		own->flags &= ~AT_THROTTLE_ARRIVING;
	bpf_spin_unlock(&own->lock);
}

/* The value that holds the container's window, which is moved first where that is due; NULL: it has none. */
static __noinline struct at_throttle *at_window_at(__u64 container)
{
	struct at_throttle *own = bpf_map_lookup_elem(&kubearmor_alert_throttle, &container);
	struct at_settings *s = at_settings();
	struct at_throttle *before;
	enum at_freeze frozen;

	if (!at_bridge || !s)
		return own;
	if (own && !(*(volatile __u32 *)&own->flags & AT_THROTTLE_ARRIVING))
		return own;
	before = bpf_map_lookup_elem(&throttle_before, &container);
	if (!before) {
		if (own)
			at_window_arrive_new(own, container);
		return own;
	}
	if (!at_windows_move(s))
		return before;
	if (!own) {
		at_give_birth(&kubearmor_alert_throttle, container, AT_THROTTLE_ARRIVING);
		own = bpf_map_lookup_elem(&kubearmor_alert_throttle, &container);
		if (!own)
			return before; /* no room: at_move_windows leaves it where it is, and user space sees that */
	}
	AT_RACE_POINT();
	frozen = at_window_freeze(before, container);
	if (frozen == AT_STAYS)
		return before;
	AT_RACE_POINT();
	if (frozen == AT_FROZEN)
		at_window_arrive(own, before, container);
	else
		at_window_arrive_new(own, container);
	return own;
}

/* A new value for the container: in the map before as long as programs of the set before decide there. */
static __always_inline long at_window_new(__u64 container, int moves)
{
	if (at_bridge && !moves)
		return at_give_birth(&throttle_before, container, 0);
	return at_give_birth(&kubearmor_alert_throttle, container, 0);
}

static __always_inline void at_window_delete(__u64 container, int before)
{
	if (before)
		bpf_map_delete_elem(&throttle_before, &container);
	else
		bpf_map_delete_elem(&kubearmor_alert_throttle, &container);
}

#endif
