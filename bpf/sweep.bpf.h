/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happens to windows without an alert: time passes, limits change, containers and their policies go. The program
 * `at_sweep` is run by user space each second, by reading its iterator over kubearmor_alert_throttle: it ends what is
 * over, brings what is due into the ring, and frees what is gone and reported. at_window_container_removed does the
 * same for one container as soon as its cgroup is removed.
 *
 * All of it runs beside decisions on other CPUs, and is as exact: each step is taken under the window's lock.
 */
#ifndef AT_SWEEP_BPF_H
#define AT_SWEEP_BPF_H

#include "window.bpf.h"

/* What a window can have due: an AlertThreshold and a report for each interval. */
#define AT_REPORTS_MAX (2 * AT_INTERVALS)

/* Applies time, limits and the end of its container (`close`, or AT_ENDED_BY_NONE) to a window; reports; frees it. */
static __noinline int at_sweep_window(struct at_throttle *throttle, __u64 owner, __u32 close)
{
	struct at_settings *s = at_settings();
	__u64 now = bpf_ktime_get_boot_ns();
	int freed = 0;
	int due = 0;
	int before;

	if (!throttle || !s)
		return 0;
	before = at_lies_before(throttle, owner);
	bpf_spin_lock(&throttle->lock);
	if (at_window_holds(throttle, owner)) {
		__u64 limits = at_limits(s, throttle->profile);

		if (close == AT_ENDED_BY_CONTAINER)
			throttle->flags |= AT_THROTTLE_REMOVED;
		if (throttle->flags & AT_THROTTLE_REMOVED)
			close = AT_ENDED_BY_CONTAINER;
		if (close == AT_ENDED_BY_NONE)
			at_throttle_advance(throttle, limits, now);
		else
			at_throttle_close(throttle, limits, now, close);
		due = at_throttle_is_due(throttle);
	}
	bpf_spin_unlock(&throttle->lock);
	if (due) {
		for (int i = 0; i < AT_REPORTS_MAX; i++)
			if (at_window_report(throttle, owner) <= 0)
				break;
	}
	if (close == AT_ENDED_BY_NONE || owner == 0)
		return 0;
	bpf_spin_lock(&throttle->lock);
	if (at_window_holds(throttle, owner) && at_throttle_is_quiet(throttle)) {
		throttle->container = AT_NOBODY;
		freed = 1;
	}
	bpf_spin_unlock(&throttle->lock);
	AT_RACE_POINT();
	/* An alert that comes in between finds nobody's window, and is decided in the overflow window. */
	if (freed)
		at_window_delete(owner, before);
	return freed;
}

/* Announces what the rings did not take of a container, and frees the account of one that is gone. */
static __always_inline void at_sweep_account(struct at_account *account, __u64 key)
{
	int freed = 0;

	if (!account)
		return;
	if (!at_account_announce(account, AT_RING_ENFORCEMENT) || !at_account_announce(account, AT_RING_AUDIT) || !key)
		return;
	bpf_spin_lock(&account->lock);
	if (account->container == key && account->flags & AT_ACCOUNT_REMOVED && account->lost[0].count == 0 &&
	    account->lost[1].count == 0) {
		account->container = AT_NOBODY;
		freed = 1;
	}
	bpf_spin_unlock(&account->lock);
	if (freed)
		bpf_map_delete_elem(&ring_accounts, &key);
}

/*
 * Called for each element of a map. 6.1 does not take a callback's value for one whose lock it can follow, so the value
 * is looked up once more.
 */
static long at_sweep_each_account(void *map, const __u64 *key, void *value, void *context)
{
	__u64 container = *key;

	at_sweep_account(bpf_map_lookup_elem(&ring_accounts, &container), container);
	return 0;
}

static long at_sweep_each_overflow(void *map, const __u32 *key, void *value, void *context)
{
	at_sweep_window(at_overflow_window(*key), 0, AT_ENDED_BY_NONE);
	return 0;
}

/* The account of a container that is gone goes as soon as all is said. */
static __noinline int at_account_remove(__u64 container)
{
	struct at_account *account = bpf_map_lookup_elem(&ring_accounts, &container);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	if (account->container == container)
		account->flags |= AT_ACCOUNT_REMOVED;
	bpf_spin_unlock(&account->lock);
	at_sweep_account(account, container);
	return 0;
}

/* Requests whose window is gone or never was are done. */
static long at_sweep_each_request(void *map, const __u64 *key, void *value, void *context)
{
	__u64 container = *key;
	__u64 *request = bpf_map_lookup_elem(&window_requests, &container);

	if (!request || at_window_at(container))
		return 0;
	at_overflow_leave(container);
	if (*request == AT_ENDED_BY_CONTAINER)
		at_account_remove(container);
	bpf_map_delete_elem(&window_requests, &container);
	return 0;
}

struct at_sweep_context {
	void *meta;
	void *map;
	__u64 *key; /* NULL once, after the last element */
	void *value;
};

SEC("iter/bpf_map_elem")
int at_sweep(struct at_sweep_context *context)
{
	__u64 *key = context->key;
	__u64 container, *request;

	if (!key) {
		bpf_for_each_map_elem(&overflow_windows, at_sweep_each_overflow, NULL, 0);
		bpf_for_each_map_elem(&ring_accounts, at_sweep_each_account, NULL, 0);
		at_sweep_account(at_account_of(0), 0);
		bpf_for_each_map_elem(&window_requests, at_sweep_each_request, NULL, 0);
		return 0;
	}
	container = *key;
	request = bpf_map_lookup_elem(&window_requests, &container);
	/* It may have joined the overflow window while another CPU made it one of its own. */
	at_overflow_leave(container);
	at_sweep_window(at_window_at(container), container, request ? (__u32)*request : AT_ENDED_BY_NONE);
	return 0;
}

/* Of a bridge, over the map before, until user space finds nothing there that has not moved. */
SEC("iter/bpf_map_elem")
int at_move_windows(struct at_sweep_context *context)
{
	struct at_throttle *own, *before;
	__u64 *key = context->key;
	__u64 container;

	if (!at_bridge || !key)
		return 0;
	container = *key;
	own = at_window_at(container);
	before = bpf_map_lookup_elem(&throttle_before, &container);
	/* Also what was made here too late, by a program that did not know yet, and that nothing was decided in. */
	if (own && before && own != before)
		at_window_freeze(before, container);
	return 0;
}

/*
 * A registered container's cgroup is removed: its report is due now, and its window goes once the ring has that. To be
 * called before the event that says so, which then follows the container's last report; where the ring has no room,
 * the window stays in its map until the sweep has brought the report out.
 */
static __noinline int at_window_container_removed(__u64 container)
{
	at_overflow_leave(container);
	/* Twice in a bridge: the window may have moved in between. To close one that is closed changes nothing. */
	for (int i = 0; i < (at_bridge ? 2 : 1); i++)
		at_sweep_window(at_window_at(container), container, AT_ENDED_BY_CONTAINER);
	at_account_remove(container);
	return 0;
}

#endif
